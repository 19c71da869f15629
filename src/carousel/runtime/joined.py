"""Cells that the kernels have in another form, of arrays: `carousel.kernels.joined` has tensors.

All states of such a cell stand side by side as one, and weights that are made once of the layer's
take the step: `CellSpec.joined` names how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from carousel.cells.spec import CellSpec
from carousel.runtime.files import Array

Weights = dict[str, Array]
Joining = Callable[[Mapping[str, Array]], Weights]


def joining(spec: CellSpec) -> Joining | None:
    """Function that makes the weights of the cell that the kernels have in this one's place; None
    where there is no such function of arrays."""
    return _JOINING.get(f"{spec.equations.partition('.')[0]}.{spec.joined}")


def widened(weights: Weights, size: int, units: int) -> Weights:
    """Weights of a layer above another, whose outputs are `size` features for each direction, of
    which the first `units` are its own: what stands behind those is multiplied by zero."""
    w_ih = weights["weight_ih"]
    by_direction = w_ih.reshape(len(w_ih), -1, units)
    wide = np.pad(by_direction, ((0, 0), (0, 0), (0, size - units)))
    return weights | {"weight_ih": np.ascontiguousarray(wide.reshape(len(w_ih), -1))}


def _lmu(weights: Mapping[str, Array]) -> Weights:
    """Sums of products in float64, rounded once: see `carousel.cells.lmu.joined`."""
    given = {name: weight.astype(np.float64) for name, weight in weights.items()}
    a, b, w_m = given["memory_a"], given["memory_b"], given["weight_mh"]
    H, d = len(w_m), len(b)
    written = np.concatenate((w_m @ b, b))[:, None]
    w_ih = np.pad(given["weight_ih"], ((0, d), (0, 0))) + written * given["weight_iu"]
    kept = np.concatenate((w_m @ a, a))
    w_hh = np.concatenate((np.pad(given["weight_hh"], ((0, d), (0, 0))), kept), 1)
    w_hh += written * np.concatenate((given["weight_hu"], given["weight_mu"]))
    made = {
        "weight_ih": w_ih,
        "weight_hh": w_hh,
        "bias_ih": np.pad(given.get("bias_ih", np.zeros(H)), (0, d)),
        "weight_c": np.pad(np.zeros(H), (0, d), constant_values=1.0),
    }
    return {name: np.ascontiguousarray(weight, np.float32) for name, weight in made.items()}


_JOINING: dict[str, Joining] = {"lmu.joined": _lmu}
