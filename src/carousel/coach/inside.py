"""Inside the recurrent layers of a model while it reads one example."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from carousel.coach.traces import Trace, output_of, recurrent_layers, trace
from carousel.coach.watch import in_evaluation
from carousel.errors import RunError

_TOLERANCE = 1e-4  # between the oracle and the path that the model runs on, of the largest value


@dataclass(frozen=True)
class Reading:
    """A recurrent layer of a model, and what it did with the example.

    name: of the layer in the model. traces: its levels and directions, of one row each.
    gradient: of the model's output with respect to the layer's input (T, I).
    difference: between the traced states and the layer's output, of the largest output.
    calls, rows: how often the model called the layer and for how many rows; the first are shown.
    """

    name: str
    traces: list[Trace]
    gradient: NDArray[np.float32]
    difference: float
    calls: int = 1
    rows: int = 1

    @property
    def influence(self) -> NDArray[np.float32]:
        """The norm of the gradient at each step (T,)."""
        norm: NDArray[np.float32] = np.linalg.norm(self.gradient, axis=1)
        return norm


@dataclass
class _Call:
    x: Tensor
    hx: Any
    lengths: Tensor | None
    y: Tensor | None = None
    count: int = 1


def look(model: nn.Module, output: Callable[[], Tensor]) -> tuple[float, list[Reading]]:
    """The output and, for each recurrent layer that it came through, what went on inside.

    output: runs the model and returns the scalar that is differentiated. The layers' inputs are
    caught while it runs, so the model may be anything. Its mode, weights and gradients stay.

    Raises `RunError` if the model has no recurrent layer, if none was called, or if the traced
    states are not those that the layer gave out.

    >>> layer, x = nn.GRU(2, 3), torch.randn(5, 1, 2)
    >>> value, (reading,) = look(layer, lambda: layer(x)[0][-1].sum())
    >>> reading.gradient.shape, [str(t) for t in reading.traces]
    ((5, 2), ['layer 0'])
    """
    layers = dict(recurrent_layers(model))
    if not layers:
        raise RunError("the model has no recurrent layer: there is nothing to look into")
    calls: dict[str, _Call] = {}
    with in_evaluation(model):
        with ExitStack() as hooks, torch.enable_grad():
            for name, layer in layers.items():
                before, after = partial(_catch, calls, name), partial(_catch_output, calls, name)
                hooks.enter_context(
                    _removed(layer.register_forward_pre_hook(before, with_kwargs=True))
                )
                hooks.enter_context(_removed(layer.register_forward_hook(after)))
            value = output()
        if not calls:
            raise RunError("the output came through no recurrent layer: nothing to look into")
        inputs = [call.x for call in calls.values()]
        gradients = torch.autograd.grad(value, inputs, materialize_grads=True)
        found = [
            _reading(name, layers[name], call, gradient)
            for (name, call), gradient in zip(calls.items(), gradients, strict=True)
        ]
        return float(value.detach()), found


class _removed:  # noqa: N801  # a context manager, as contextlib's
    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self._handle.remove()


def _catch(
    calls: dict[str, _Call], name: str, layer: nn.Module, args: Any, kwargs: dict[str, Any]
) -> Any:
    """Note what a layer is called with, and see to it that its input has a gradient."""
    if name in calls:
        calls[name].count += 1
        return None
    given = dict(zip(("input", "hx", "lengths"), args, strict=False)) | kwargs
    x, lengths = given["input"], given.get("lengths")
    packed = isinstance(x, PackedSequence)
    if packed:
        x, lengths = pad_packed_sequence(x, batch_first=layer.batch_first)  # type: ignore[arg-type]
    if not x.requires_grad:
        x = x.detach().requires_grad_()
    calls[name] = _Call(x, given.get("hx"), lengths)
    if packed:
        assert lengths is not None
        x = pack_padded_sequence(x, lengths, bool(layer.batch_first), enforce_sorted=False)
    return ((x, *args[1:]), kwargs) if args else ((), kwargs | {"input": x})


def _catch_output(
    calls: dict[str, _Call], name: str, layer: nn.Module, args: Any, output: Any
) -> None:
    if calls[name].y is None:
        y = output[0]
        if isinstance(y, PackedSequence):
            y, _ = pad_packed_sequence(y, batch_first=layer.batch_first)  # type: ignore[arg-type]
        calls[name].y = y.detach()


@torch.no_grad()
def _reading(name: str, layer: Any, call: _Call, gradient: Tensor) -> Reading:
    traces = trace(layer, call.x, call.hx, call.lengths)
    assert call.y is not None
    y = call.y if call.y.dim() == 3 else call.y.unsqueeze(0 if layer.batch_first else 1)
    difference = (output_of(traces, layer) - y).abs().max()
    share = float(difference / y.abs().max().clamp(min=1e-30))
    if not share <= _TOLERANCE:
        raise RunError(
            f"the states inside '{name}' differ from its output by {share:.2g} of the largest "
            "value: this picture would not show what the model does; please report it"
        )
    if gradient.dim() == 3:
        gradient = gradient[0] if layer.batch_first else gradient[:, 0]
    length = len(gradient) if call.lengths is None else int(call.lengths[0])
    rows = traces[0].x.size(1)
    return Reading(
        name,
        [_first_row(found, length) for found in traces],
        gradient[:length].float().cpu().numpy(),
        share,
        call.count,
        rows,
    )


def _first_row(found: Trace, length: int) -> Trace:
    parts = {name: part[:length, :1] for name, part in found.parts.items()}
    return Trace(found.spec, found.layer, found.reverse, found.x[:length, :1], parts)


def left_at_the_end(found: Trace) -> NDArray[np.float64] | None:
    """Share of the memory after each step that is still there at the end (T,), or None.

    The product of what the later steps keep, as the layer reads them, averaged over units.
    """
    if found.kept is None:
        return None
    kept = found.kept[:, 0].detach().double().cpu().numpy()
    kept = kept if not found.reverse else kept[::-1]
    later = np.cumprod(np.concatenate((kept[1:], np.ones_like(kept[:1])))[::-1], axis=0)[::-1]
    mean: NDArray[np.float64] = later.mean(1)
    return mean[::-1] if found.reverse else mean


def spread_of_lives(found: Trace) -> dict[str, float] | None:
    """The half-lives that 10, 50 and 90 % of the units do not exceed, in steps; None without any.

    Each is that of a unit, for between a finite one and one that never forgets there is nothing.
    """
    if found.half_life is None:
        return None
    lives = found.half_life.cpu().numpy()
    shares = {"10 %": 0.1, "50 %": 0.5, "90 %": 0.9}
    return {
        name: float(np.quantile(lives, share, method="inverted_cdf"))
        for name, share in shares.items()
    }


def order_of_units(found: Trace) -> NDArray[np.int64]:
    """Units with similar states beside each other (H,), by average linkage of correlations.

    The leaves are in the order of Bar-Joseph et al. 2001, which brings neighbours closest.
    """
    states = found.memory[:, 0].detach().double().cpu().numpy().T
    if len(states) < 3 or states.shape[1] < 2:
        return np.arange(len(states))
    spread = states.std(1, keepdims=True)
    standard = (states - states.mean(1, keepdims=True)) / np.where(spread > 1e-9, spread, np.inf)
    # Between standardised rows the squared distance is 2 T (1 - correlation).
    tree = hierarchy.linkage(standard, "average", optimal_ordering=len(states) <= 1024)
    order: NDArray[np.int64] = hierarchy.leaves_list(tree).astype(np.int64)
    return order
