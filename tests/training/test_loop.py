"""The loop's arithmetic, what it records, and how it stops when numbers or people say so."""

import os
import signal

import pytest
import torch
from lightning_fabric import Fabric
from small import small_config
from torch.nn import functional as F

from carousel.errors import TrainingDiverged
from carousel.run.reading import events, series
from carousel.run.writing import EventStore
from carousel.tasks.classify.task import ClassifyTask
from carousel.tasks.classify.trained import TrainedClassifier
from carousel.training import Interrupted, resume, train
from carousel.training.display import Display
from carousel.training.loop import Trainer
from carousel.training.new_run import new_run

THREADS = 1


@pytest.fixture
def make(tmp_path):
    """Trainers in folders of their own, by settings."""
    stores = []

    def trainer(*settings, task=ClassifyTask):
        config = small_config(*settings)
        run = new_run(tmp_path / f"run{len(stores)}", config, seed=3, threads=THREADS, device="cpu")
        stores.append(EventStore(run.events))
        fabric = Fabric(accelerator="cpu", devices=1)
        return Trainer(task(config, 3), run, stores[-1], Display(), fabric)

    yield trainer
    for store in stores:
        store.close()


def test_training_equals_a_bare_loop_over_the_same_batches(make):
    """Plain SGD with clipping and an L2 penalty, written out."""
    settings = [
        "optimizer.name=sgd",
        "optimizer.learning_rate=0.5",
        "optimizer.clip_norm=0.25",
        "schedule.name=constant",
        "regularization.dropout=0",
        "regularization.l1.input=0",
        "regularization.l2.recurrent=0.01",
        "training.epochs=2",
        "training.restore_best=false",
    ]
    trainer = make(*settings)
    task = trainer.task
    torch.manual_seed(3)
    model = task.build_model()
    losses, norms = [], []
    for epoch in range(2):
        for images, labels in task.train_batches(epoch, 0):
            model.zero_grad()
            loss = F.cross_entropy(model(task.scaler(images)), labels)
            penalty = 0.005 * (model.recurrent.weight_hh_l0**2).sum()
            (loss + penalty).backward()
            norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters()))
            with torch.no_grad():
                for p in model.parameters():
                    p -= 0.5 * p.grad * min(1.0, 0.25 / float(norm))
            losses.append(loss.item())
            norms.append(float(norm))
    trainer.fit()
    trainer.store.flush()
    for name, expected in [("train/loss", losses), ("gradient_norm", norms)]:
        recorded = series(trainer.run.events, name)
        assert [step for step, _ in recorded] == list(range(1, len(losses) + 1))
        assert [value for _, value in recorded] == pytest.approx(expected, rel=1e-3)
    for ours, theirs in zip(trainer.net.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_every_epoch_is_recorded_with_its_metrics_and_time(trained):
    store = trained.path / "events.sqlite"
    epochs = list(events(store, "epoch"))
    assert [event["epoch"] for event in epochs] == list(range(1, trained.result["epochs"] + 1))
    assert [event["step"] for event in epochs] == [24 * n for n in range(1, len(epochs) + 1)]
    seconds = [event["seconds"] for event in epochs]
    assert seconds == sorted(seconds)
    losses = dict(series(store, "train/loss"))
    for event in epochs:
        values = dict(series(store, "epoch/validation_accuracy"))
        assert values[event["step"]] == event["validation"]["accuracy"]
        mean = sum(losses[s] for s in range(event["step"] - 23, event["step"] + 1)) / 24
        assert event["train"]["loss"] == pytest.approx(mean, rel=0.02)  # the last batch is smaller
    (stopped,) = events(store, "stopped")
    assert stopped["reason"] == trained.result["stop_reason"]


def test_early_stopping_restores_the_best_epoch(make):
    trainer = make(
        "training.patience=1", "training.epochs=40", "optimizer.name=sgd", "training.min_delta=1"
    )
    reason = trainer.fit()
    assert reason.startswith("stopped early after epoch 2: no better validation accuracy for 1")
    assert "in epoch 1, its weights are kept" in reason
    best = trainer.stopping.best_weights
    assert all(torch.equal(best[name], value) for name, value in trainer.net.state_dict().items())


def test_max_steps_end_the_run_in_the_middle_of_an_epoch(make):
    trainer = make("training.max_steps=30")
    assert trainer.fit().startswith("ran the 30 steps asked for")
    assert (trainer.progress.step, trainer.progress.epoch) == (30, 2)


@pytest.mark.parametrize("name", ["one-cycle", "cosine", "plateau", "constant"])
def test_every_schedule_bears_a_single_step(make, name):
    trainer = make("training.max_steps=1", f"schedule.name={name}")
    assert trainer.fit().startswith("ran the 1 step asked for")


def poisoned(name):
    class Poisoned(ClassifyTask):
        """At its third step, one weight is NaN."""

        calls = 0

        def loss(self, model, batch, carry=()):
            self.calls += model.training
            if self.calls == 3:
                with torch.no_grad():
                    model.get_parameter(name)[0] = torch.nan
            return super().loss(model, batch, carry)

    return Poisoned


@pytest.mark.parametrize("name", ["recurrent.weight_hh_l0", "head.bias"])
def test_a_nan_stops_the_run_at_once_and_names_the_tensor(make, name):
    trainer = make(task=poisoned(name))
    with pytest.raises(TrainingDiverged) as caught:
        trainer.fit()
    said = str(caught.value)
    assert "stopped at step 3 (epoch 1): the loss is nan" in said
    assert f"the weight {name}" in said
    assert "Try optimizer.learning_rate=" in said
    assert "\n" not in said
    (event,) = events(trainer.run.events, "diverged")
    assert event["tensor"] == f"the weight {name}"
    assert len(series(trainer.run.events, "train/loss")) == 2


def test_a_gradient_that_is_not_finite_stops_the_run_before_the_weights_change(make):
    trainer = make()
    before = [p.clone() for p in trainer.net.parameters()]
    trainer.net.recurrent.weight_hh_l0.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(TrainingDiverged, match=r"the gradient of recurrent\.weight_hh_l0"):
        trainer.fit()
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.net.parameters(), strict=True))


def test_an_output_that_is_not_finite_is_named_by_its_module(make):
    trainer = make()
    trainer.net.dropout.register_forward_hook(lambda *_: torch.full((64, 12), torch.nan))
    with pytest.raises(TrainingDiverged, match="the output of dropout"):
        trainer.fit()


def test_a_learning_rate_far_too_high_ends_as_a_divergence_with_advice(tmp_path):
    settings = ["optimizer.name=sgd", "optimizer.learning_rate=1e38", "optimizer.clip_norm=0"]
    config = small_config(*settings, "schedule.name=constant")
    with pytest.raises(TrainingDiverged, match=r"learning_rate=3\.3e\+37 \(it was 1e\+38\)"):
        train(config, seed=0, threads=1, run_dir=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run" / "result.json").exists()


class Signalled(ClassifyTask):
    """Sends a signal to this process at the step it is told to."""

    at, number = 0, signal.SIGINT

    def loss(self, model, batch, carry=()):
        if torch.is_grad_enabled() and model.training:  # the coach looks on in evaluation mode
            Signalled.at -= 1
            if Signalled.at == 0:
                os.kill(os.getpid(), self.number)
        return super().loss(model, batch, carry)


# Of 24 steps in an epoch: inside one, its last, the first of the next, the run's last but one.
@pytest.mark.parametrize("at", [5, 24, 25, 95])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_leave_a_run_that_resumes_exactly(
    tmp_path, monkeypatch, trained, at, number
):
    monkeypatch.setattr("carousel.tasks.classify.task.TASK", Signalled)
    monkeypatch.setattr(Signalled, "at", at)
    monkeypatch.setattr(Signalled, "number", number)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    folder = tmp_path / "run"
    with pytest.raises(Interrupted, match="carousel train --resume"):
        train(small_config(), seed=3, threads=1, run_dir=folder, quiet=True)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert len(series(folder / "events.sqlite", "train/loss")) == at
    done = resume(folder, quiet=True)
    assert (done.path / "model" / "weights.safetensors").read_bytes() == (
        trained.path / "model" / "weights.safetensors"
    ).read_bytes()
    epochs = [event["epoch"] for event in events(folder / "events.sqlite", "epoch")]
    assert epochs == [1, 2, 3, 4]


def test_ctrl_c_after_the_training_is_resumed_without_training_again(tmp_path, monkeypatch):
    def interrupted(self, model):
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    config = small_config("training.epochs=1")
    with monkeypatch.context() as patch:
        patch.setattr(TrainedClassifier, "_judge", interrupted)
        with pytest.raises(Interrupted):
            train(config, seed=3, threads=1, run_dir=folder, quiet=True)
    weights = (folder / "model" / "weights.safetensors").read_bytes()
    monkeypatch.setattr(Trainer, "_step", lambda *_: pytest.fail("trained again"))
    assert resume(folder, quiet=True).result["steps"] == 24
    assert (folder / "model" / "weights.safetensors").read_bytes() == weights
