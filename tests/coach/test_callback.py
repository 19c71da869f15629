"""`carousel.Coach` in a loop of one's own and as a callback: it sees all and changes nothing."""

import pytest
import torch
from torch import nn

import carousel
from carousel import Coach
from carousel.coach.probe import look_inside
from carousel.coach.watch import watch
from carousel.errors import ConfigError

LAYERS = {"ours": carousel.LSTM, "torch": nn.LSTM}


class Network(nn.Module):
    def __init__(self, layer=carousel.LSTM, dropout=0.0):
        super().__init__()
        self.recurrent = layer(3, 8, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.dropout(self.recurrent(x)[0][:, -1]))


def trained(coach_of, layer=carousel.LSTM, steps=60, rate=0.01, dropout=0.0):
    """A network trained by hand; the coach, if any, looks on."""
    torch.manual_seed(0)
    net = Network(layer, dropout)
    x, y = torch.randn(32, 9, 3), torch.randint(2, (32,))
    optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9)
    coach = coach_of(net)
    for _ in range(steps):
        if coach:
            coach.before_step()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimizer.step()
        if coach:
            coach.after_step(loss, gradient_norm=norm, learning_rate=rate)
    return net, coach


def eager(net):
    return Coach(net, budget=10.0, quiet=True, total_steps=60)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_weights_are_the_same_bits_with_and_without(layer):
    with_coach, _ = trained(eager, layer, dropout=0.3)
    without, _ = trained(lambda net: None, layer, dropout=0.3)
    for a, b in zip(with_coach.parameters(), without.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_it_measures_updates_gates_and_lags_of_any_recurrent_layer(layer):
    _, coach = trained(eager, layer)
    for name in (
        "update_ratio/recurrent.weight_hh_l0/f",
        "gate/recurrent.l0/f/mean",
        "lag/recurrent.l0/ratio",
        "spectral_radius/recurrent.weight_hh_l0/i",
        "gradient_norm_after",
    ):
        assert coach.evidence.values(name), name
    assert coach.evidence.facts["parameters"] == sum(p.numel() for p in Network().parameters())


def test_what_it_sees_of_a_step_is_what_a_look_at_that_step_sees():
    """Without a trainer there is no probe batch: the step itself is looked at."""
    _, coach = trained(eager, steps=2)
    torch.manual_seed(0)
    net = Network()
    x, y = torch.randn(32, 9, 3), torch.randint(2, (32,))
    with watch(net) as calls:
        nn.functional.cross_entropy(net(x), y).backward()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    nn.utils.clip_grad_norm_(net.parameters(), 0.5)
    optimizer.step()
    with watch(net) as calls:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
    step, value = coach.evidence.points("gate/recurrent.l0/f/mean")[0]
    assert step == 2
    optimizer.step()  # a look at the gates comes after the step
    wanted = look_inside(calls, 16).numbers["gate/recurrent.l0/f/mean"]
    assert value == pytest.approx(wanted, rel=1e-3)


def test_a_rate_that_is_far_too_high_is_logged(caplog, capsys):
    _, coach = trained(lambda net: Coach(net, total_steps=60), rate=300.0)
    assert {finding.code for finding in coach.findings} & {
        "learning-rate-too-high",
        "huge-values",
        "update-ratio-critical",
        "not-finite",
    }
    assert [r.levelname for r in caplog.records if r.getMessage().startswith("coach: ")]
    assert capsys.readouterr().out == ""
    assert "try 1: " in coach.report()


def test_a_loss_that_is_nan_is_told_at_once():
    coach = Coach(Network(), quiet=True)
    coach.before_step()
    coach.after_step(float("nan"))
    assert [finding.code for finding in coach.findings] == ["not-finite"]


def test_overfitting_is_told_from_epochs_alone():
    coach = Coach(Network(), quiet=True)
    for train, held in ((1.0, 1.0), (0.5, 0.8), (0.3, 0.9), (0.2, 1.1), (0.1, 1.4)):
        coach.step += 10
        coach.end_epoch({"loss": train}, {"loss": held})
    assert "overfitting" in {finding.code for finding in coach.findings}


def test_nothing_to_report_is_said_in_both_languages():
    assert Coach(Network(), lang="en").report() == "nothing to report"
    assert Coach(Network(), lang="ko").report() == "알릴 것이 없습니다"


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="budget must be above 0"):
        Coach(Network(), budget=0)
    with pytest.raises(ConfigError, match="lang must be one of"):
        Coach(Network(), lang="fr")


class FakeTrainer:
    """Calls a callback in the order in which Lightning does, every other hook included."""

    def __init__(self, callback, epochs=2):
        self.callback, self.epochs, self.callback_metrics = callback, epochs, {}

    def fit(self, net, x, y):
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        call = self.callback
        call.setup(self, net, stage="fit")
        call.on_fit_start(self, net)
        call.on_train_start(self, net)
        for _ in range(self.epochs):
            call.on_train_epoch_start(self, net)
            for index in range(10):
                call.on_train_batch_start(self, net, (x, y), index)
                loss = nn.functional.cross_entropy(net(x), y)
                call.on_before_zero_grad(self, net, optimizer)
                optimizer.zero_grad()
                call.on_before_backward(self, net, loss)
                loss.backward()
                call.on_after_backward(self, net)
                call.on_before_optimizer_step(self, net, optimizer)
                optimizer.step()
                call.on_train_batch_end(self, net, {"loss": loss.detach()}, (x, y), index)
            self.callback_metrics = {"train_loss": loss.detach(), "val_loss": torch.tensor(0.7)}
            call.on_train_epoch_end(self, net)
        call.teardown(self, net, stage="fit")


def test_as_a_callback_it_sees_steps_rates_and_epochs():
    torch.manual_seed(0)
    net = Network()
    coach = Coach(net, budget=10.0, quiet=True)
    FakeTrainer(coach).fit(net, torch.randn(32, 9, 3), torch.randint(2, (32,)))
    assert coach.step == 20
    assert set(coach.evidence.values("learning_rate")) == {0.01}
    assert coach.evidence.curve("validation", "loss") == pytest.approx([0.7, 0.7])
    assert coach.evidence.values("gate/recurrent.l0/i/low")


def test_lightning_itself_takes_it(tmp_path):
    pl = pytest.importorskip("lightning.pytorch", reason="lightning is not installed")
    data = torch.utils.data.TensorDataset(torch.randn(64, 9, 3), torch.randint(2, (64,)))
    loader = torch.utils.data.DataLoader(data, 16)

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = Network(nn.GRU)

        def training_step(self, batch, index):
            return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        def validation_step(self, batch, index):
            self.log("val_loss", nn.functional.cross_entropy(self.net(batch[0]), batch[1]))

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.01)

    module = Module()
    coach = Coach(module, budget=10.0, quiet=True)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own, on workers and loggers
        trainer = pl.Trainer(
            callbacks=[coach],
            max_epochs=2,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
            enable_checkpointing=False,
        )
        trainer.fit(module, loader, loader)
    assert coach.step == 8
    assert len(coach.evidence.curve("validation", "loss")) == 2
    assert coach.evidence.values("gate/net.recurrent.l0/z/mean")
