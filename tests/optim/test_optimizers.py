"""Optimisers and schedules by name, and penalties against autograd."""

import pytest
import torch
from small import small_config
from torch import nn

from carousel.config import OptimizerConfig, ScheduleConfig
from carousel.optim.optimizers import make_optimizer, make_schedule
from carousel.optim.penalties import Penalties, RowLimits, weight_group
from carousel.tasks.classify.network import build_model


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
        ("nesterov", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
        ("adagrad", torch.optim.Adagrad),
    ],
)
def test_optimizers_are_torchs_with_the_settings_given(name, kind):
    weight = nn.Parameter(torch.ones(2))
    config = OptimizerConfig(name=name, learning_rate=0.25, weight_decay=0.125)
    optimizer = make_optimizer(config, [weight])
    (group,) = optimizer.param_groups
    assert type(optimizer) is kind
    assert (group["lr"], group["weight_decay"]) == (0.25, 0.125)
    if kind is torch.optim.SGD:
        assert (group["nesterov"], group["momentum"]) == (
            (True, 0.9) if name != "sgd" else (False, 0)
        )


def rates(config, steps, losses=None):
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = make_schedule(config, optimizer, steps, "loss")
    seen = []
    for step in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if schedule is not None:
            schedule.step(*([losses[step]] if losses else []))
    return seen


def test_one_cycle_rises_to_the_rate_and_falls_to_nothing():
    seen = rates(ScheduleConfig(name="one-cycle", warmup=0.3), 100)
    assert seen[29] == max(seen) == pytest.approx(1.0)
    assert seen == [*sorted(seen[:30]), *sorted(seen[30:], reverse=True)]
    assert seen[-1] < 1e-4


@pytest.mark.parametrize("warmup", [0.01, 0.2, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6])
def test_one_cycle_reaches_its_rate_however_short_the_run(steps, warmup):
    seen = rates(ScheduleConfig(name="one-cycle", warmup=warmup), steps)
    assert all(0 < rate <= 1 for rate in seen)
    if steps * warmup <= 1:  # no step to rise in: the fall alone, from the highest rate
        assert seen[0] == 1.0
        assert seen == sorted(seen, reverse=True)
    assert max(seen) > 0.5 or steps == 2  # the second of two steps ends the cycle


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("name", ["constant", "one-cycle", "cosine", "plateau", "zaremba"])
def test_every_schedule_begins_a_run_of_a_few_steps_at_the_rate_that_was_set(name, steps):
    config = ScheduleConfig(name=name, warmup=0.3, hold=4, patience=2)
    assert rates(config, steps, [1.0] * steps if name == "plateau" else None)[0] == 1.0


def test_a_fall_that_is_resumed_goes_on_as_it_would_have():
    def fall():
        optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0)
        return optimizer, make_schedule(ScheduleConfig(name="one-cycle"), optimizer, 3, "loss")

    optimizer, schedule = fall()
    optimizer.step()
    schedule.step()
    again, resumed = fall()
    again.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    for one, scheduled in ((optimizer, schedule), (again, resumed)):
        one.step()
        scheduled.step()
    assert again.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"] < 0.01


def test_cosine_falls_through_half_at_half_time():
    seen = rates(ScheduleConfig(name="cosine"), 100)
    assert seen[0] == 1.0
    assert seen[50] == pytest.approx(0.5)
    assert seen == sorted(seen, reverse=True)


def test_constant_stays():
    assert set(rates(ScheduleConfig(), 10)) == {1.0}


def test_plateau_cuts_the_rate_after_patience_epochs_without_improvement():
    config = ScheduleConfig(name="plateau", factor=0.1, patience=1)
    assert rates(config, 5, [3.0, 2.0, 2.5, 2.5, 2.5]) == pytest.approx([1, 1, 1, 1, 0.1])


def test_zarembas_schedule_holds_the_rate_and_then_divides_it_every_epoch():
    config = ScheduleConfig(name="zaremba", hold=4, factor=0.5)
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=2.0)
    schedule = make_schedule(config, optimizer, 21, "perplexity", epoch_steps=3)
    seen = []
    for _ in range(21):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert seen[::3] == seen[1::3] == seen[2::3] == [2, 2, 2, 2, 1, 0.5, 0.25]


def test_plateau_without_patience_cuts_after_every_epoch_without_improvement():
    config = ScheduleConfig(name="plateau", factor=0.25, patience=0)
    values = [3.0, 2.0, 2.5, 1.9, 1.9]
    assert rates(config, 5, values) == pytest.approx([1, 1, 1, 0.25, 0.25])


def test_row_limits_shorten_the_rows_that_are_too_long_and_no_others():
    config = small_config("regularization.max_norm.recurrent=1", "regularization.max_norm.head=1")
    model = build_model(config)
    for weight in model.state_dict().values():
        weight.copy_(torch.randn(weight.shape))
        if weight.dim() == 2:  # rows of length 0.1 to 2
            weight *= (torch.linspace(0.1, 2, len(weight)) / weight.norm(dim=1))[:, None]
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    RowLimits(config.regularization, model).apply()
    for name, weight in model.state_dict().items():
        if weight_group(name) in ("recurrent", "head"):
            shorter = torch.linspace(0.1, 2, len(weight)).clamp(min=1.0)
            assert torch.allclose(weight, before[name] / shorter[:, None], rtol=1e-4), name
        else:
            assert torch.equal(weight, before[name]), name


def test_penalties_add_the_gradient_of_their_formula():
    config = small_config(
        "model.num_layers=2",
        *(f"regularization.l1.{g}={i + 1}e-2" for i, g in enumerate(("input", "bias"))),
        *(f"regularization.l2.{g}={i + 3}e-2" for i, g in enumerate(("recurrent", "bias", "head"))),
    )
    model = build_model(config)
    x, y = torch.randn(5, 28, 28), torch.arange(5)
    loss = nn.functional.cross_entropy(model.eval()(x), y)
    loss.backward(retain_graph=True)
    Penalties(config.regularization, model).add_gradients()
    added = {name: p.grad.clone() for name, p in model.named_parameters()}
    penalty = 0.0
    for name, p in model.named_parameters():
        group = weight_group(name)
        l1 = getattr(config.regularization.l1, group)
        l2 = getattr(config.regularization.l2, group)
        penalty = penalty + l1 * p.abs().sum() + l2 / 2 * (p * p).sum()
    model.zero_grad()
    (loss + penalty).backward()
    for name, p in model.named_parameters():
        assert torch.allclose(added[name], p.grad, rtol=1e-5, atol=1e-7), name


def test_every_parameter_of_every_cell_has_a_group():
    for cell in ("lstm", "gru", "rnn"):
        model = build_model(small_config(f"model.cell={cell}", "model.bidirectional=true"))
        groups = {name: weight_group(name) for name, _ in model.named_parameters()}
        assert groups["head.weight"] == "head"
        assert {groups[n] for n in groups if "weight_hh" in n} == {"recurrent"}
        assert {groups[n] for n in groups if "weight_ih" in n} == {"input"}
        assert {groups[n] for n in groups if "bias" in n} == {"bias"}
