"""`carousel serve`."""

from __future__ import annotations

import os
import ssl
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from carousel.cli.output import JsonOption, print_json
from carousel.errors import ConfigError, require_extra
from carousel.terminal import notice


def serve(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders, or NAME=FOLDER.")
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine's need a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="[default: 8866, or a free one if it is taken]"),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            help="Keep states over restarts in this file of SQLite, or in Redis: redis://HOST.",
        ),
    ] = None,
    snapshot: Annotated[
        float, typer.Option(min=0.05, help="Seconds between snapshots, with --state.")
    ] = 1.0,
    idle: Annotated[
        float, typer.Option(min=1, help="Seconds after which a stream without steps is forgotten.")
    ] = 3600.0,
    streams: Annotated[int, typer.Option(min=1, help="Streams of a model at a time.")] = 100_000,
    client_streams: Annotated[
        int | None,
        typer.Option(min=1, help="Streams that one client may have made. [default: any]"),
    ] = None,
    client_rate: Annotated[
        float | None, typer.Option(min=0.01, help="Steps of one client a second. [default: any]")
    ] = None,
    max_wait: Annotated[
        float, typer.Option(min=0, help="Milliseconds that steps wait for others, to be a batch.")
    ] = 1.0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of a batch.")] = 1,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Processes that share the port, and the streams.")
    ] = 1,
    body: Annotated[float, typer.Option(min=0.01, help="Megabytes of a request or a frame.")] = 8.0,
    int8: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Step in eight bits; steps like those to come, in lines of JSON."
        ),
    ] = None,
    state_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Key of states that clients carry, else $CAROUSEL_STATE_KEY or a new one.",
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Speak TLS with it (PEM).")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Key of the certificate.")
    ] = None,
    log: Annotated[
        str, typer.Option(help="Of logs and requests: text, or json, an object in each line.")
    ] = "text",
    as_json: JsonOption = False,
) -> None:
    """Serve live streams over HTTP and WebSocket: a state for each, stepped together.

    Needs the extra: pip install 'carousel-rnn[serve]'.

    Example: carousel serve runs/pumps --state states.sqlite

    Example: carousel serve pumps=runs/pumps-20261130-090000 gestures=runs/gestures --port 80
    """
    require_extra("the server", "serve", "starlette", "uvicorn", "websockets", "msgpack", "orjson")
    from carousel.serve.scheduler import Limits
    from carousel.serve.server import listen, prepare, run
    from carousel.serve.service import Settings
    from carousel.serve.workers import Plan, run_workers
    from carousel.web.address import beside

    if (certificate is None) != (key is None):
        raise ConfigError("--certificate and --key come together")
    if certificate is not None and key is not None:
        _check_certificate(certificate, key)
    if log not in ("text", "json"):
        raise ConfigError(f"--log is text or json; got '{log}'")
    models = _named(runs)
    settings = Settings(
        threads=threads, limits=Limits(max_wait=max_wait / 1000), most=streams, idle=idle,
        body=int(body * (1 << 20)),
        calibration=int8, rate=client_rate, each=client_streams, lines=log == "json",
    )  # fmt: skip
    if (signs := _key_of(state_key)) is not None:
        settings = replace(settings, key=signs)
    server = prepare(models, settings, state, snapshot) if workers == 1 else None
    at = listen(host, port, several=workers > 1)
    url = at.url if certificate is None else at.url.replace("http:", "https:", 1)
    if at.token is not None and certificate is None:
        notice(f"{host} is reached by others, without TLS: who listens on the way reads the token")

    def ready() -> None:
        if as_json:
            print_json({"url": url, "models": list(models)})
        else:
            print(f"{', '.join(models)}: served at {url} (Ctrl-C ends it)", flush=True)
        sys.stdout.flush()

    if server is not None:
        run(server, at, settings.body, ready, certificate, key)
    else:
        plan = Plan(models, settings, state, snapshot, at.host, at.token, certificate, key)
        run_workers(plan, beside(at.listener, workers), ready)


def _check_certificate(certificate: Path, key: Path) -> None:
    """Raises `ConfigError`, naming the files, for those that TLS cannot be spoken with."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or error
        raise ConfigError(
            f"TLS cannot be spoken with --certificate {certificate} and --key {key} ({why}): they "
            "are a certificate and its key, both in PEM"
        ) from None


def _key_of(file: Path | None) -> bytes | None:
    """The key that signs states: that of a file, or of the environment; none for one of its own."""
    if file is not None:
        try:
            key = file.read_bytes().strip()
        except OSError as error:
            raise ConfigError(f"the key {file} cannot be read: {error.strerror}") from None
    elif (text := os.environ.get("CAROUSEL_STATE_KEY")) is not None:
        key = text.strip().encode()
    else:
        return None
    if len(key) < 16:
        raise ConfigError(
            f"a key to sign with has 16 bytes at least, got {len(key)}: 'openssl rand -hex 32' "
            "makes one"
        )
    return key


def _named(runs: list[Path]) -> dict[str, Path]:
    """Folders by the names of their models: NAME=FOLDER, or the folder's own."""
    found: dict[str, Path] = {}
    for run in runs:
        name, sign, folder = str(run).partition("=")
        path = Path(folder) if sign and not run.exists() else run
        name = name if path is not run else path.resolve().name
        if not name or not all(c.isalnum() or c in "-_." for c in name):
            raise ConfigError(
                f"a model's name is letters, digits, - _ and .; got '{name}': name it, as in "
                "pumps=FOLDER"
            )
        if name in found:
            raise ConfigError(f"two models are named {name}: name one, as in other={path}")
        found[name] = path
    return found
