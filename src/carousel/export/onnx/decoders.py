"""An encoder, and one step of a decoder with attention, as two ONNX models."""

from __future__ import annotations

from typing import Any

from carousel.export.decoders.description import (
    KEYS,
    MEMORY,
    Attention,
    EncoderDecoder,
    Sight,
)
from carousel.export.description import Network, Value
from carousel.export.onnx import layers
from carousel.export.onnx.graph import Graph
from carousel.export.onnx.summaries import attended
from carousel.export.onnx.writer import Writer


def encoder_of(network: EncoderDecoder) -> Any:
    """Graph of the encoder: inputs to memory, keys and the decoder's first states."""
    if isinstance(network.encoder, Network):
        writer = Writer(network.encoder, stream=False)
        graph, (*_, memory, summary) = writer.graph, writer.walk()
    else:
        graph = Graph()
        memory = _seen(graph, network.encoder, network.input)
        summary = graph.add("Reshape", memory, graph.integers(0, network.encoder.places.size))
    graph.rename(memory, MEMORY)
    if network.attention.key is not None:
        key = network.attention.key
        graph.rename(graph.dense(memory, key.weight, key.bias), KEYS)
    for state, found in zip(network.decoder.states, _begin(graph, network, summary), strict=True):
        graph.rename(found, f"{state.name}_in")
    return graph.model(
        f"{network.name}: encoder", network.encoder_inputs(), network.encoder_outputs()
    )


def step_of(network: EncoderDecoder) -> Any:
    """Graph of one step: a token, memory and states to log-probabilities and states."""
    writer = Writer(network.decoder, stream=True)
    graph, query = writer.graph, writer.walk()[-1]
    inside = _inside(graph) if network.has_lengths else ""
    keys = MEMORY if network.attention.key is None else KEYS
    scores = _scores(graph, network.attention, query, keys)
    context, weights = attended(graph, scores, MEMORY, inside)
    both = graph.add("Concat", context, query, axis=1)
    combined = graph.dense(both, network.combine.weight, network.combine.bias)
    said = graph.dense(graph.add("Tanh", combined), network.readout.weight, network.readout.bias)
    graph.rename(graph.add("LogSoftmax", said, axis=-1), "log_probabilities")
    graph.rename(graph.add("Squeeze", weights, graph.integers(2)), "attention")
    for state, found in zip(network.decoder.states, writer.final, strict=True):
        graph.rename(found, f"{state.name}_out")
    return graph.model(f"{network.name}: step", network.step_inputs(), network.step_outputs())


def _seen(graph: Graph, sight: Sight, given: Value) -> str:
    """Places (B, S, M) of images or features."""
    count, features = sight.places.shape
    if sight.project is not None:
        flat = graph.add("Reshape", given.name, graph.integers(0, count, -1))
        seen = graph.dense(flat, sight.project.weight, sight.project.bias)
    else:
        pixels = graph.add("Cast", given.name, to=1)
        seen = graph.add("Div", pixels, graph.constant(255.0))
        for weight, bias in sight.stages:
            seen = layers.convolved(graph, seen, weight, bias)
        seen = graph.add("Reshape", seen, graph.integers(0, features, count))
        seen = graph.add("Transpose", seen, perm=[0, 2, 1])
    return str(graph.add("Add", seen, graph.constant(sight.places)))


def _begin(graph: Graph, network: EncoderDecoder, summary: str) -> list[str]:
    """States (L, B, size) that the decoder begins with."""
    states = network.decoder.states
    bridge = network.bridge
    bridged = graph.add("Tanh", graph.dense(summary, bridge.weight, bridge.bias))
    first, found = 0, []
    for state, start in zip(states, network.starts, strict=True):
        depth, size = int(state.shape[0]), int(state.shape[2])
        if start is None:
            part = graph.slice(bridged, first, first + depth * size, 1)
            part = graph.add("Reshape", part, graph.integers(0, depth, size))
            found.append(graph.add("Transpose", part, perm=[1, 0, 2]))
            first += depth * size
        else:
            rows = graph.shape(summary, 0, 1)
            shape = graph.add("Concat", graph.integers(depth), rows, graph.integers(size), axis=0)
            found.append(graph.add("Expand", graph.constant(start), shape))
    return found


def _inside(graph: Graph) -> str:
    """True in the places that each row's memory has, (B, S, 1)."""
    places = graph.add("Squeeze", graph.shape(MEMORY, 1, 2))
    return graph.inside("lengths", places)


def _scores(graph: Graph, attention: Attention, query: str, keys: str) -> str:
    """Score of each place, (B, S, 1), of a query (B, H)."""
    if attention.query is None or attention.v is None:
        column = graph.add("Unsqueeze", query, graph.integers(2))
        return str(graph.add("MatMul", keys, column))
    asked = graph.dense(query, attention.query.weight, attention.query.bias)
    asked = graph.add("Unsqueeze", asked, graph.integers(1))
    hidden = graph.add("Tanh", graph.add("Add", asked, keys))
    return graph.dense(hidden, attention.v, None)
