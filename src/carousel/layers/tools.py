"""Layers as tools that rewrite models find them: torch.fx, torch.jit.script, quantisation.

They know torch's layers by their exact classes, or by modules whose names begin with "torch.nn".
"""

from __future__ import annotations

import logging
from typing import Any

from torch import fx, nn

from carousel.layers.acceleration import why_not_back
from carousel.layers.swap import swap_back

logger = logging.getLogger("carousel")


def fx_node(layer: nn.Module, input: fx.Proxy, given: dict[str, Any]) -> Any:
    """The call of a layer that torch.fx traces: one node, as of torch's layers.

    given: further arguments of the call by name; those that are None are left out.

    Raises TraceError where the layer is all that is traced: torch.fx looks into what it is given,
    and a layer computes with sizes, which it cannot follow; torch's layers do so, too.
    """
    tracer: Any = input.tracer
    target = tracer.path_of_module(layer)
    if not target:
        raise fx.proxy.TraceError(
            f"{type(layer).__name__} is one node of a graph: trace a model that holds it, for "
            "one torch.nn.Sequential(layer)"
        )
    kwargs = {name: value for name, value in given.items() if value is not None}
    return tracer.create_proxy("call_module", target, (input,), kwargs)


def scriptable(layer: nn.Module) -> nn.Module:
    """torch's layer with the same parameters, for torch.jit.script, which cannot read ours.

    Raises NotImplementedError for a layer that torch has not.
    """
    reason = why_not_back(layer)
    if reason:
        raise NotImplementedError(
            f"torch.jit.script takes {type(layer).__name__} as torch's, but {reason}: use "
            "torch.jit.trace, or torch.export"
        )
    kind: Any = type(layer)
    twin: nn.Module = kind.__new__(kind)
    for name, value in vars(layer).items():
        vars(twin)[name] = value.copy() if isinstance(value, dict) else value
    swap_back(twin)
    logger.warning(
        "torch.jit.script: a %s is scripted as torch's, and stands so in the model that was "
        "given, with the same parameters; carousel.accelerate(model) brings ours back there",
        type(layer).__name__,
    )
    return twin


def left_by_quantization(layer: nn.Module) -> None:
    """Say that torch's quantisation leaves a layer as it is: it goes by exact classes."""
    logger.warning(
        "torch.ao.quantization knows torch's layers alone: this %s stays in %s. To quantise it, "
        "make it torch's before, by carousel.restore(model)",
        type(layer).__name__,
        str(next(layer.parameters()).dtype).removeprefix("torch."),
    )
