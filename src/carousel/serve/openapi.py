"""Description of the server's HTTP for programs (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

from carousel import __version__

_STEP = {
    "description": "A list of numbers in the order of training, an object by column, or a token.",
    "anyOf": [{"type": "array"}, {"type": "object"}, {"type": "string"}, {"type": "integer"}],
}
_NUMBER = {
    "type": "integer",
    "minimum": 0,
    "description": "Number of the first step, from 0: then a request can be sent again.",
}
_CARRIED: dict[str, dict[str, Any]] = {
    "return_state": {
        "type": "boolean",
        "description": "The answer has the stream's state after these steps, and the server keeps "
        "nothing: the next request brings it along.",
    },
    "state": {
        "type": ["string", "null"],
        "description": "As the last answer had it; left out or null where the stream begins.",
    },
}
_SENT: dict[str, dict[str, Any]] = {
    "steps": {"type": "array", "minItems": 1, "items": _STEP},
    "number": _NUMBER,
    **_CARRIED,
}
_STEPS = {"type": "object", "required": ["steps"], "properties": _SENT}
_ITEMS = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["stream", "steps"],
                "properties": {"stream": {"type": "string"}, **_SENT},
            },
        }
    },
}
_ANSWERS = {
    "type": "object",
    "properties": {
        "answers": {"type": "array", "items": {"type": "object"}},
        "steps": {"type": "integer", "description": "Steps that the stream has taken."},
        "saved": {
            "type": "integer",
            "description": "Steps that the last snapshot has; not with "
            "a state that the client carries.",
        },
        "state": {
            "type": "string",
            "description": "State after these steps, where it was asked for: opaque and signed.",
        },
    },
}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
_REFUSALS = {
    "400": "A step does not fit: its column is named.",
    "404": "There is no such model or stream.",
    "409": "Steps came out of their order: `expected` is the next number; or a state does not fit.",
    "410": "A state that a client carries is too old.",
    "413": "The body is too long.",
    "429": "Too many streams are open, or a client steps too fast; with Retry-After.",
    "503": "The server ends, or is busy; with Retry-After.",
}


def described(models: list[str]) -> dict[str, Any]:
    """The document, with the names of the models."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "carousel serve",
            "version": __version__,
            "description": "Live streams: the server keeps a state for each, and steps together "
            "whichever have something to say. Bodies are JSON, NDJSON or MessagePack.",
        },
        "paths": _paths(models),
        "components": {
            "schemas": {"Steps": _STEPS, "Items": _ITEMS, "Answers": _ANSWERS, "Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _paths(models: list[str]) -> dict[str, Any]:
    model = _parameter("model", "Name of a model.", enum=models)
    stream = _parameter("stream", "Name of a stream: 1 to 200 printable characters, encoded.")
    most = {"name": "most", "in": "query", "description": "How many, 100 if not given.",
            "schema": {"type": "integer"}}  # fmt: skip
    example = {"steps": [[0.1, 0.2]], "number": 0}
    many = {"items": [{"stream": "a", "steps": [[0.1, 0.2]]}]}
    whole = {"sequences": [[[0.1, 0.2], [0.3, 0.4]]]}
    one = "/v1/models/{model}"
    here = one + "/streams/{stream}"
    return {
        "/v1/models": {"get": _said("Models, their columns, the names in their answers.")},
        one: {"get": _said("Columns, answers and streams of a model.", model)},
        f"{one}/streams": {"get": _said("Streams that stepped last.", model, most)},
        f"{one}/steps": {"post": _said("Steps of many streams.", model, body=many,
                                       schema="Items")},
        f"{one}/predict": {"post": _said("Whole sequences, which leave no state.", model,
                                         body=whole)},
        f"{here}/steps": {"post": _said(
            "Steps of a stream, which is made if it is new.", model, stream, body=example,
            schema="Steps", answer="Answers")},
        f"{here}/events": {"get": _said(
            "Answers of a stream as they come, as server-sent events: `id` is the number of a "
            "step, `data` its answer.", model, stream, kind="text/event-stream")},
        here: {
            "get": _said("How many steps a stream has taken.", model, stream),
            "delete": _said("Forget a stream.", model, stream, status="204"),
        },
        "/v1/status": {"get": _said("Load, latencies and batches, as the page shows them.")},
        "/healthz": {"get": _said("Whether it lives.", kind="text/plain")},
        "/readyz": {"get": _said("Whether it takes steps.", kind="text/plain")},
        "/metrics": {"get": _said("Figures for Prometheus.", kind="text/plain")},
    }  # fmt: skip


def _parameter(name: str, said: str, **schema: Any) -> dict[str, Any]:
    kind = {"type": "string", **schema}
    return {"name": name, "in": "path", "required": True, "description": said, "schema": kind}


def _said(
    summary: str,
    *parameters: dict[str, Any],
    body: Any = None,
    schema: str | None = None,
    answer: str | None = None,
    status: str = "200",
    kind: str = "application/json",
) -> dict[str, Any]:
    """An operation. body: an example of what is sent; schema, answer: names of components."""
    told: dict[str, Any] = {"description": "The answer." if status == "200" else "Done."}
    if status == "200":
        told["content"] = {kind: {"schema": _ref(answer) if answer else {}}}
    found: dict[str, Any] = {"summary": summary, "responses": {status: told}}
    if parameters:
        found["parameters"] = [*parameters]
        error = {"application/json": {"schema": _ref("Error")}}
        codes = _REFUSALS if body is not None else {"404": _REFUSALS["404"]}
        found["responses"] |= {
            code: {"description": said, "content": error} for code, said in codes.items()
        }
    if body is not None:
        sent = {"schema": _ref(schema) if schema else {"type": "object"}, "example": body}
        kinds = ("application/json", "application/msgpack")
        found["requestBody"] = {"required": True, "content": dict.fromkeys(kinds, sent)}
    return found


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
