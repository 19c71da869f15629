"""Many-to-one, numbers: one number, or several, of a whole recording."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from carousel.config import Config
from carousel.data import leaks
from carousel.data.coded import codes_in
from carousel.data.counting import span_of
from carousel.data.mapped import pools_of
from carousel.data.ragged import Buckets, Ragged
from carousel.data.whole_targets import WholeRecordings, WholeTargets
from carousel.errors import ConfigError
from carousel.layers.categories import noisy
from carousel.tasks.regress.target import Target, guesses
from carousel.tasks.regress.whole_scores import judge
from carousel.tasks.regress.whole_trained import TrainedWholeRegressor
from carousel.tasks.shared import network, outputs, samples
from carousel.tasks.shared.baselines import examples
from carousel.tasks.shared.digits import few_digits
from carousel.tasks.shared.losses import Batch, Carry, StepLoss
from carousel.tasks.shared.pooled import PooledNetwork, outputs_of
from carousel.tasks.shared.prepared import prepared, scaler_of, with_levels
from carousel.tasks.shared.recordings import in_blocks_words, remarks, shuffle_of
from carousel.tasks.shared.samples import Sample, Told
from carousel.tasks.shared.subject import TaskSubject
from carousel.tasks.shared.task import Task


class WholeRegressTask(Task):
    """Training of a `PooledNetwork` with an output for each target: recordings of similar length
    share a batch. Inputs and targets are standardised by the training part; recordings without any
    number to be found are in no batch."""

    validation_metrics: tuple[str, ...] = ("rmse", "mae", "r2")
    unit = "recordings"
    trained = TrainedWholeRegressor

    def __init__(self, config: Config, seed: int, parts: WholeRecordings) -> None:
        network.check(config)
        self.config, self.data = config, parts
        if config.regress.cap and len(parts.targets) > 1:
            raise ConfigError(
                f"regress.cap is of one number to be found, there are {len(parts.targets)} "
                f"({', '.join(parts.targets)}): leave it out"
            )
        train = parts.train
        self.targets = tuple(
            Target.fit(numbers[~numbers.isnan()], config.regress) for numbers in train.targets.T
        )
        self.scaler = scaler_of(train.values, config.frames, parts.columns)
        self._train = self._prepare(train.values)
        self._validation = self._prepare(parts.validation.values)
        self._known = (~train.targets.isnan()).any(1).nonzero().flatten()
        self.leaks = leaks.of_whole_numbers(train.values, train.targets, parts.columns)
        lengths = self._train.lengths[self._known]
        rows = config.training.batch_size
        self.shuffle = shuffle_of(self._train, config)
        pools = pools_of(self._train, rows, self._known) if self.shuffle == "blocks" else None
        self._batches = Buckets(lengths, rows, seed, span=10, pools=pools)
        defined = self._judge(parts.validation, torch.zeros_like(parts.validation.targets))
        wanted = ("mse_standardised",) if len(self.targets) > 1 else ()
        self.validation_metrics = tuple(
            name for name in (*wanted, *self.validation_metrics) if name in defined
        )

    def _prepare(self, values: Ragged) -> Ragged:
        return prepared(values, self.scaler, self.config.frames, self.data.columns)

    @property
    def _levels(self) -> dict[int, int]:
        return codes_in(self.data.columns)

    def _judge(self, part: WholeTargets, guess: Tensor) -> dict[str, Any]:
        """Against capped targets: what lies beyond the cap is not to be known."""
        capped = [t.capped(truth) for t, truth in zip(self.targets, part.targets.T, strict=True)]
        stds = [target.std for target in self.targets]
        rows = self.data.weights.get("validation") if part is self.data.validation else None
        return judge(torch.stack(capped, 1), guess, self.data.targets, stds, weights=rows)

    @property
    def parted(self) -> WholeRecordings:
        return self.data

    @property
    def batches_per_epoch(self) -> int:
        return len(self._batches)

    def build_model(self) -> PooledNetwork:
        features = self._train.values.size(1)
        return PooledNetwork(features, len(self.targets), self.config, self._levels)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        weights = self.data.weights.get("train")
        for some in self._batches.epoch(epoch, start):
            index = self._known[some]
            rows = () if weights is None else (weights[index],)
            yield (*self._train.pad(index), *rows, self.data.train.targets[index])

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        values, lengths, *rows, numbers = batch
        noise = self.config.frames.noise
        if noise and model.training:
            values = noisy(values, noise, self._levels)
        raw, known = model(values, lengths), ~numbers.isnan()
        losses = torch.cat(
            [
                target.losses(raw[:, k][known[:, k]], numbers[:, k][known[:, k]])
                for k, target in enumerate(self.targets)
            ]
        )
        if rows:
            losses = losses * rows[0].unsqueeze(1).expand_as(numbers).T[known.T].to(losses.dtype)
        return StepLoss(losses.mean(), {"loss": losses.detach().sum()}, len(losses))

    def validate(self, model: nn.Module) -> dict[str, float]:
        found = guesses(self.targets, outputs_of(cast(PooledNetwork, model), self._validation))
        values = self._judge(self.data.validation, found)
        return {name: values[name] for name in self.validation_metrics}

    def samples(self, most: int) -> list[Sample]:
        held = self.data.validation
        lengths = held.values.lengths.tolist()
        return [
            Sample(f"{held.names[i]} ({lengths[i]} steps)", wanted=self._said(held.targets[i]))
            for i in samples.spread(len(held), most).tolist()
        ]

    def _said(self, numbers: Tensor) -> str:
        """The numbers of a recording, as text."""
        how = [few_digits([target.mean, target.mean + target.std]) for target in self.targets]
        said = [f"{x:{h}}" for x, h in zip(numbers.tolist(), how, strict=True)]
        if len(said) == 1:
            return said[0]
        return ", ".join(f"{n} {x}" for n, x in zip(self.data.targets, said, strict=True))

    def answers(self, model: nn.Module, most: int) -> list[Told]:
        assert isinstance(model, PooledNetwork)
        held = self.data.validation
        index = samples.spread(len(held), most)
        found = guesses(self.targets, outputs_of(model, self._validation.take(index)))
        stds = torch.tensor([target.std for target in self.targets])
        wrong = ((found - held.targets[index]) / stds).abs().nanmean(1).nan_to_num()
        return [
            Told(round(error, 4), self._said(row))
            for error, row in zip(wrong.tolist(), found, strict=True)
        ]

    def baselines(self) -> dict[str, dict[str, float]]:
        """The mean of the training part, and ridge regression on summary statistics."""
        train, test = self.data.train, self.data.part("test")
        held = self._prepare(test.values)
        x, test_x = examples.standardised_summaries(
            *(with_levels(some, self.data.columns) for some in (self._train, held))
        )
        means, lines = [], []
        for target, numbers in zip(self.targets, train.targets.T, strict=True):
            known = ~numbers.isnan()
            capped = target.capped(numbers[known].double())
            mean, std = float(capped.mean()), float(capped.std(correction=0)) or 1.0
            guess = examples.fit_numbers(x[known.numpy()], ((capped - mean) / std).numpy(), test_x)
            means.append(torch.full((len(test),), mean, dtype=torch.float64))
            lines.append(mean + std * torch.from_numpy(guess).double())
        stds = [target.std for target in self.targets]
        cap, names = self.config.regress.cap, self.data.targets
        found = {"mean": torch.stack(means, 1), "linear": torch.stack(lines, 1)}
        return {
            name: {
                metric: value
                for metric, value in judge(test.targets, guess, names, stds, cap).items()
                if isinstance(value, float)
            }
            for name, guess in found.items()
        }

    def account(self) -> dict[str, Any]:
        return {**self.data.account(), "leaks": self.leaks, "capped": self._capped()}

    def _capped(self) -> int:
        cap = self.config.regress.cap
        return int((self.data.train.targets > cap).sum()) if cap else 0

    def finish(self, model: nn.Module) -> TrainedWholeRegressor:
        names = dict(zip(self.data.targets, self.targets, strict=True))
        net = cast(PooledNetwork, model)
        return TrainedWholeRegressor(net, self.config, self.scaler, names, self.data.columns)

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, PooledNetwork)
        train, validation = self.data.train, self.data.validation
        example = self._train.values.new_zeros(1, 2, model.recurrent.input_size)
        path = model.recurrent.path(example, ragged=True)
        lengths = train.values.lengths
        without = len(train) - len(self._known)
        unread = f"\n{without:,} recordings to train on have no number and are not used"
        how = sorted({t.sigmoid for t in self.targets})
        said = ["identity, squared error", "sigmoid, cross-entropy"]
        capped = f"\n{self._capped():,} numbers count as regress.cap = {self.config.regress.cap:g}"
        return (
            f"{len(train):,} recordings ({span_of(lengths.tolist(), 'steps')}) to "
            f"train on, {len(validation):,} to validate; to be found: "
            f"{', '.join(self.data.targets)}; {self._train.values.size(1)} features; "
            f"{' and '.join(said[i] for i in how)}\n"
            f"recurrent layer on {path}{capped if self._capped() else ''}"
            f"{unread if without else ''}{in_blocks_words(self.shuffle)}"
            f"{remarks(self.data.notes, self.data.filled, self.leaks, self.config.frames)}"
        )

    @property
    def subject(self) -> WholeRegressSubject:
        return WholeRegressSubject(self)


class WholeRegressSubject(TaskSubject[WholeRegressTask]):
    """Batches of recordings with their numbers, for the coach."""

    def padded(self, batch: Batch, steps: int) -> Batch:
        values, *rest = batch
        return pad(values, (0, 0, 0, steps), value=3), *rest

    def _scaled(self, numbers: Tensor) -> Tensor:
        rows = zip(self.task.targets, numbers.T, strict=True)
        flat = torch.cat([target.scaled(row) for target, row in rows])
        return flat[~flat.isnan()].float()

    def wanted(self, batch: Batch) -> Tensor:
        return self._scaled(batch[-1])

    def targets(self) -> tuple[Tensor, Tensor]:
        data = self.task.data
        return self._scaled(data.train.targets), self._scaled(data.validation.targets)

    def outputs(self, model: nn.Module) -> dict[str, float]:
        """Measures of the answers for the first target."""
        assert isinstance(model, PooledNetwork)
        raw = outputs_of(model, self.task._validation)
        truth = self.task.targets[0].capped(self.task.data.validation.targets[:, 0])
        known = ~truth.isnan()
        return outputs.of_numbers(guesses(self.task.targets, raw)[known, 0], truth[known])
