"""Random masks as a function of (seed, step, row, kind, unit), and what cells do with them.

The same numbers as native/masks.hpp, which says where they come from: the kernels and the oracle
drop the same units, in every pass and on any number of threads.
"""

from __future__ import annotations

import torch
from torch import Tensor

KINDS = ("cell", "state", "candidate", "product")
EVERY_STEP = -1  # as a step: of masks that are constant over time
_GOLDEN = 0x9E3779B97F4A7C15
_WORD = 0xFFFFFFFF


def draws(kind: str, seed: Tensor, step: int, rows: int, units: int) -> Tensor:
    """Numbers in [0, 2^24) (rows, units), int64, independent and uniform for all purposes here.

    kind: one of `KINDS`, what the mask is for. seed: one int64. step: of the sequence, or
    `EVERY_STEP`. Another seed, step, row, kind or unit gives an unrelated number.

    >>> seed = torch.tensor(7)
    >>> first = draws("cell", seed, 0, 2, 3)
    >>> first.shape, bool((first[1] == draws("cell", seed, 0, 5, 9)[1, :3]).all())
    (torch.Size([2, 3]), True)
    """
    row = torch.arange(1, rows + 1, device=seed.device)
    key = _mixed(_mixed(seed + _signed(_GOLDEN * (step + 2))) + row * _signed(_GOLDEN))[:, None]
    offset = KINDS.index(kind) * 0x9E3779B9
    low, high = key + offset, _shifted(key, 32, 64) + offset
    x = (low + torch.arange(units, device=seed.device)) & _WORD
    x = (x ^ (x >> 16)) * 0x21F0AAAD & _WORD
    x = (x ^ (x >> 15) ^ (high & _WORD)) * 0x735A2D97 & _WORD
    return (x ^ (x >> 15)) >> 8


def happens(p: float, kind: str, seed: Tensor, step: int, rows: int, units: int) -> Tensor:
    """A mask (rows, units), true with probability p (to within 2^-24)."""
    return draws(kind, seed, step, rows, units) < round(p * 2**24)


def kept(p: float, kind: str, seed: Tensor, step: int, rows: int, units: int) -> Tensor:
    """Factors of inverted dropout (rows, units): 0 with probability p, else 1 / (1 - p)."""
    return (~happens(p, kind, seed, step, rows, units)).to(torch.float64) / (1 - p)


def zoneout(before: Tensor, after: Tensor, p: float, keep: Tensor | None) -> Tensor:
    """The state after a step, or where `keep` the one before it (Krueger et al. 2017).

    Without `keep`, which is drawn with probability p, the expectation: p before + (1 - p) after.
    """
    if keep is None:
        return p * before + (1 - p) * after
    return torch.where(keep, before, after)


def _mixed(z: Tensor) -> Tensor:
    z = (z ^ _shifted(z, 30, 64)) * _signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shifted(z, 27, 64)) * _signed(0x94D049BB133111EB)
    return z ^ _shifted(z, 31, 64)


def _shifted(z: Tensor, by: int, bits: int) -> Tensor:
    """A logical shift to the right: torch's keeps the sign."""
    return (z >> by) & ((1 << (bits - by)) - 1)


def _signed(word: int) -> int:
    """The int64 with the low 64 bits of a number."""
    return (word + 2**63) % 2**64 - 2**63
