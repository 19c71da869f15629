"""Each way of clipping against its definition."""

import numpy as np
import pytest
import torch
from torch import nn

from carousel.config import OptimizerConfig
from carousel.errors import ConfigError
from carousel.optim.clipping import Clipper


def make(**settings):
    """A clipper of two parameters, and a third that has no gradient."""
    parameters = [nn.Parameter(torch.zeros(*shape)) for shape in ((2, 3), (2,), (4,))]
    return Clipper(OptimizerConfig(**settings), parameters)


def clip(clipper, gradients):
    """Set the gradients and clip them; returns the reported norm and the clipped gradients."""
    parameters = clipper._parameters[:2]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    return clipper(), [parameter.grad for parameter in parameters]


@pytest.fixture
def gradients():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, generator=generator), torch.randn(2, generator=generator)]


def norm_of(gradients):
    return torch.cat([g.flatten() for g in gradients]).norm().item()


def test_no_clipping_reports_the_norm_and_changes_nothing(gradients):
    norm, after = clip(make(), gradients)
    assert norm == pytest.approx(norm_of(gradients))
    assert all(torch.equal(a, b) for a, b in zip(after, gradients, strict=True))


def test_by_norm_shortens_to_the_limit_and_keeps_the_direction(gradients):
    norm, after = clip(make(clip_norm=0.5), gradients)
    assert norm == pytest.approx(norm_of(gradients))
    assert norm_of(after) == pytest.approx(0.5, rel=1e-4)
    for a, b in zip(after, gradients, strict=True):
        assert torch.allclose(a / norm_of(after), b / norm_of(gradients), atol=1e-6)


def test_by_value_cuts_elements_off(gradients):
    norm, after = clip(make(clip_value=0.3), gradients)
    assert norm == pytest.approx(norm_of(gradients))
    assert all(torch.equal(a, b.clamp(-0.3, 0.3)) for a, b in zip(after, gradients, strict=True))


def test_by_percentile_follows_all_norms_seen(gradients):
    clipper = make(clip_percentile=30)
    scales = [3.0, 1.0, 2.0, 10.0, 0.5, 4.0]
    for count, scale in enumerate(scales, 1):
        norm, after = clip(clipper, [scale * g for g in gradients])
        assert norm == pytest.approx(scale * norm_of(gradients), rel=1e-5)
        limit = np.percentile(scales[:count], 30) * norm_of(gradients)
        assert norm_of(after) == pytest.approx(min(norm, limit), rel=1e-4)


def test_the_norms_seen_survive_a_checkpoint(gradients):
    first, second = (make(clip_percentile=30) for _ in range(2))
    for scale in (3.0, 1.0, 2.0):
        clip(first, [scale * g for g in gradients])
    second.load_state_dict(first.state_dict())
    assert second.threshold() == first.threshold()
    assert make().state_dict() == {}


def test_a_norm_that_is_not_finite_is_reported_and_not_remembered(gradients):
    clipper = make(clip_percentile=50)
    norm, _ = clip(clipper, [gradients[0] * torch.inf, gradients[1]])
    assert not np.isfinite(norm)
    assert clipper.state_dict() == {}


def test_two_ways_at_once_are_refused():
    with pytest.raises(ConfigError, match=r"one of optimizer\.clip_norm and optimizer\.clip_value"):
        OptimizerConfig(clip_norm=1, clip_value=1)
