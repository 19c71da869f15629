"""Distributions of forecasts: what the numbers of a network mean, their loss and their interval.

All on the scale of the network; the caller puts values back on their own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

QUANTILES = (0.1, 0.5, 0.9)
PARAMETERS = {
    "none": 1,
    "conformal": 1,
    "gaussian": 2,
    "quantile": 3,
    "student-t": 3,
    "negative-binomial": 2,
}
"""How many numbers each distribution takes for a value."""
_Z90 = 1.2815515655446004
_LEAST = 1e-3


def positive(x: Tensor) -> Tensor:
    """softplus(x), and a little more.

    >>> round(positive(torch.tensor(0.0)).item(), 4)
    0.6941
    """
    return F.softplus(x) + _LEAST


def ends(raw: Tensor, distribution: str) -> tuple[Tensor, Tensor]:
    """Distances of the 10 % and the 90 % quantile below and above the middle of a value: raw
    (..., P), both (...). Without a distribution both are 0, and 1 where errors alone will say how
    wide an interval is ("conformal")."""
    if distribution == "conformal":
        one = torch.ones_like(raw[..., 0])
        return one, one
    if distribution == "none":
        nothing = torch.zeros_like(raw[..., 0])
        return nothing, nothing
    if distribution == "quantile":
        return positive(raw[..., 1]), positive(raw[..., 2])
    far = positive(raw[..., 1])
    if distribution == "gaussian":
        return _Z90 * far, _Z90 * far
    from scipy.stats import t  # slow to import

    degrees = freedom(raw).detach().double().cpu().numpy()
    far = far * torch.from_numpy(t.ppf(QUANTILES[-1], degrees)).to(far)
    return far, far


def freedom(raw: Tensor) -> Tensor:
    """Degrees of freedom of a Student-t, above 2: its variance is finite."""
    return 2 + positive(raw[..., 2])


def density_losses(raw: Tensor, truth: Tensor, distribution: str) -> Tensor:
    """-ln of the density of each value under a Gaussian or Student-t distribution: raw (..., P),
    truth and result (...).

    >>> raw = torch.tensor([0.0, 0.54031426])   # mean 0, deviation 1.001
    >>> round(density_losses(raw, torch.tensor(0.0), "gaussian").item(), 2)
    0.92
    """
    far = positive(raw[..., 1])
    if distribution == "gaussian":
        error = (raw[..., 0] - truth) / far
        return 0.5 * error.square() + far.log() + 0.5 * math.log(2 * math.pi)
    distances = torch.distributions.StudentT(freedom(raw), raw[..., 0], far)
    found: Tensor = -distances.log_prob(truth)  # type: ignore[no-untyped-call]
    return found


def pinball(truth: Tensor, quantiles: Tensor) -> Tensor:
    """Pinball loss of the 10, 50 and 90 % quantiles, their mean (Koenker and Bassett 1978): truth
    (...), quantiles (3, ...), result (...).

    >>> round(pinball(torch.tensor(1.0), torch.tensor([0.0, 1.0, 3.0])).mul(3).item(), 3)
    0.3
    """
    shares = torch.tensor(QUANTILES, dtype=truth.dtype, device=truth.device)
    error = truth - quantiles
    shares = shares.view(-1, *[1] * truth.dim())
    return torch.maximum(shares * error, (shares - 1) * error).mean(0)
