"""A network as stages, each of which has its C: what goes from step to step, and what needs all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from carousel.errors import ConfigError
from carousel.export.c import layers
from carousel.export.c.builder import Builder, Step
from carousel.export.c.cells import step_of
from carousel.export.c.pooling import Pool, pool
from carousel.export.description import (
    Convolution,
    Embedding,
    Horizon,
    Known,
    Level,
    Network,
    Pictures,
    Pooling,
    Recurrent,
)
from carousel.quantization import EightBits


@dataclass(frozen=True)
class Both:
    """One recurrent layer with two directions: a step of each."""

    forward: Step
    backward: Step

    @property
    def outputs(self) -> int:
        """Features of a step of both."""
        return self.forward.outputs + self.backward.outputs


@dataclass(frozen=True)
class Kept:
    """A layer that reads a whole sequence: its description, and the features of its outputs."""

    layer: Convolution | Known | Level
    outputs: int


@dataclass(frozen=True)
class Ahead:
    """A forecast's head: its description and the sizes of its answer."""

    layer: Horizon
    outputs: int
    repeats: int


Stage = Step | Both | Kept | Pool | Ahead


def inputs_of(network: Network) -> tuple[str, int]:
    """C type of a number that goes in, and how many there are in a step.

    Raises `ConfigError` for a network whose input C does not hold.
    """
    if any(isinstance(layer, Pictures) for layer in network.layers):
        raise ConfigError("Pictures (frames of films) have no C: export the model as .onnx")
    if len(network.inputs) > 1:
        raise ConfigError(f"{network.name} reads two inputs: C has none of these, use .onnx")
    first = network.layers[0]
    if isinstance(first, Embedding):
        return "int", 1 + len(first.further)
    (*_, features) = network.inputs[0].shape
    return "float", int(features)


def stages_of(
    builder: Builder, network: Network, int8: Sequence[Sequence[EightBits]] = ()
) -> Iterator[Stage]:
    """Stages of a network in their order; what they need goes into the builder on the way. int8: of
    each recurrent stack its layers in eight bits; none for float32."""
    width, places = inputs_of(network)[1], list[tuple[str, int]]()
    for layer in network.layers:
        made: list[Stage]
        if isinstance(layer, Recurrent):
            number = network.recurrent.index(layer)
            made = list(_stack(builder, layer, number, int8[number] if int8 else ()))
            top = made[-1]
            ends = (top.forward, top.backward) if isinstance(top, Both) else (top,)
            places = [(end.where, end.outputs) for end in ends if isinstance(end, Step)]
        elif isinstance(layer, Pooling):
            made = [pool(builder, layer, width, places)]
        elif isinstance(layer, Convolution):
            made = [Kept(layer, len(layer.weight))]
        elif isinstance(layer, Known):
            made = [Kept(layer, layer.features + len(layer.columns))]
        elif isinstance(layer, Level):
            made = [Kept(layer, width)]
        elif isinstance(layer, Horizon):
            made = [Ahead(layer, len(layer.columns), layer.rows * len(layer.steps))]
        else:
            made = [layers.step(builder, layer, width)]
        width = made[-1].outputs
        yield from made


def _stack(
    builder: Builder, stack: Recurrent, number: int, int8: Sequence[EightBits]
) -> Iterator[Stage]:
    end = f"_{number + 1}" if number else ""  # as `Network.states` names them
    for layer in range(len(stack.layers)):
        eight = int8[layer] if int8 else None
        steps = [step_of(builder, stack, layer, d, end, eight) for d in range(stack.directions)]
        yield Both(*steps) if len(steps) == 2 else steps[0]


def needs_all(network: Network) -> bool:
    """True if a layer reads the whole sequence before it gives anything."""
    kinds = Convolution | Known | Level | Horizon
    both = any(stack.directions == 2 for stack in network.recurrent)
    return both or any(isinstance(layer, kinds) for layer in network.layers)
