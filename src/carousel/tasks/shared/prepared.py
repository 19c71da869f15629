"""Recordings as networks read them: with differences where they are wanted, and scaled."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from carousel.config import FramesConfig
from carousel.data.coded import codes_in
from carousel.data.mapped import changed
from carousel.data.ragged import Ragged, with_differences
from carousel.data.scaling import FeatureScaler

_MOST_LEVELS = 50
"""Levels of a column that baselines read."""


def scaler_of(values: Ragged, frames: FramesConfig, columns: Sequence[str]) -> FeatureScaler:
    """The scaler of a training part; columns: names, of which some may be of codes."""
    codes = [*codes_in(columns)]
    wide = values
    if frames.differences:
        wide = changed(values, lambda some: with_differences(some, True, codes).values)
    return FeatureScaler.fit(wide.values, codes=codes)


def prepared(
    values: Ragged, scaler: FeatureScaler, frames: FramesConfig, columns: Sequence[str]
) -> Ragged:
    """Recordings (N, F) as the network reads them, scaled as the training part is."""
    codes = [*codes_in(columns)]

    def scaled(some: Ragged) -> torch.Tensor:
        return scaler(with_differences(some, frames.differences, codes).values)

    return changed(values, scaled)


def with_levels(values: Ragged, columns: Sequence[str]) -> Ragged:
    """Prepared recordings for models that know no codes: a column of codes becomes one for each of
    its most frequent levels, 1 where it stands."""
    codes = codes_in(columns)
    if not codes:
        return values
    plain = [place for place in range(values.values.size(1)) if place not in codes]

    def wider(some: Ragged) -> torch.Tensor:
        x = some.values
        parts = [x[:, plain]]
        for place, count in codes.items():
            levels = torch.arange(1, min(count, _MOST_LEVELS) + 1)
            parts.append((x[:, place, None] == levels).to(x.dtype))
        return torch.cat(parts, 1)

    return changed(values, wider)
