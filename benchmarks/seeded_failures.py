"""Networks that are broken on purpose, and healthy twins: what does the coach say of each?

Every case trains a small network within about a second, broken and healthy, on several seeds, and
asks which findings (warnings and severe ones) stand at the end or were raised on the way. Prints
recall per failure, precision, and false findings per healthy run; with `advice`, it applies the
first suggestion that can be pasted and trains again.

    python benchmarks/seeded_failures.py report [seed …]
    python benchmarks/seeded_failures.py advice [seed …]

`--only NAME` takes one case.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from seeded_tasks import Data, Part, SeededTask, recall, sums, tones, walks

from carousel.coach.evidence import Evidence
from carousel.coach.finding import Finding, by_severity
from carousel.coach.monitor import diagnose
from carousel.coach.record import read_run
from carousel.coach.suggest import settings_of
from carousel.config import Config
from carousel.errors import TrainingDiverged
from carousel.run.writing import EventStore
from carousel.training.display import Display
from carousel.training.loop import Trainer
from carousel.training.new_run import new_run

COMMON = [
    "coach.budget=3",  # runs of a second: looks must not wait for their share of it
    "optimizer.learning_rate=5e-3",
    "optimizer.clip_norm=1",
    "model.hidden_size=24",
    "training.batch_size=32",
    "training.epochs=12",
    "training.restore_best=false",
]
NUMBERS = ["task=regress"]


@dataclass(frozen=True)
class Case:
    """A failure: what is expected of the coach, and how to make it and its healthy twin.

    found_by: codes of which one must stand. broken, healthy: settings; data: from seed and whether
    it is broken. mistake: a bug of the network. remedy: the data as the first advice has them, and
    mends: whether it takes the bug out, where the advice is no setting.
    """

    name: str
    found_by: frozenset[str]
    data: Callable[[int, bool], Data]
    broken: tuple[str, ...] = ()
    healthy: tuple[str, ...] = ()
    mistake: str = ""
    remedy: Callable[[int], Data] | None = None
    mends: bool = False

    @property
    def by_hand(self) -> bool:
        return self.mends or self.remedy is not None


def _few(data: Data, count: int) -> Data:
    return Data(data.train.take(torch.arange(count)), data.validation)


def _shuffled(data: Data, seed: int) -> Data:
    g = torch.Generator().manual_seed(seed + 99)
    for part in (data.train, data.validation):
        part.y = part.y[torch.randperm(len(part), generator=g)]
    return data


def _leaked(data: Data) -> Data:
    half = len(data.validation) // 2
    for name in ("x", "y"):
        both = (getattr(data.train, name), getattr(data.validation, name)[:half])
        setattr(data.train, name, torch.cat(both))
    return data


def _scaled(data: Data, factor: float) -> Data:
    def wide(part: Part) -> Part:
        return Part(part.x * factor, part.y)

    return Data(wide(data.train), wide(data.validation))


def _standardised(data: Data, target: bool = False) -> Data:
    """By the mean and the deviation of the training part."""
    for name in ("y",) if target else ("x",):
        own = getattr(data.train, name)
        mean, std = own.mean(), own.std()
        for part in (data.train, data.validation):
            setattr(part, name, (getattr(part, name) - mean) / std)
    return data


def case(name: str, found_by: str, data: Callable[[int, bool], Data], **how: object) -> Case:
    return Case(name, frozenset(found_by.split()), data, **how)  # type: ignore[arg-type]


CASES = [
    case(
        "learning rate x 100",
        "learning-rate-too-high update-ratio-critical constant-output not-finite",
        lambda seed, broken: tones(seed),
        broken=("optimizer.learning_rate=0.5",),
    ),
    case(
        "learning rate / 100",
        "learning-rate-too-low update-ratio-critical",
        lambda seed, broken: tones(seed),
        broken=("optimizer.learning_rate=5e-5",),
    ),
    case(
        "no forget bias, long lag",
        "forget-bias vanishing-by-lag",
        lambda seed, broken: recall(seed),
        broken=("model.forget_bias=-1", "training.epochs=6"),
        healthy=("initialization.name=chrono", "initialization.steps=60", "training.epochs=10"),
    ),
    case(
        "vanilla RNN, long lag",
        "vanishing-by-lag",
        lambda seed, broken: recall(seed, 120),
        broken=("model.cell=rnn", "training.epochs=6"),
        healthy=("initialization.name=chrono", "initialization.steps=120", "training.epochs=10"),
    ),
    case(
        "inputs x 100",
        "input-scale gate-saturation state-saturation",
        lambda seed, broken: _scaled(tones(seed), 100.0 if broken else 1.0),
        remedy=lambda seed: _standardised(_scaled(tones(seed), 100.0)),
    ),
    case(
        "regression target as it came",
        "target-scale huge-values",
        lambda seed, broken: sums(seed, 300.0, 2000.0) if broken else sums(seed),
        broken=tuple(NUMBERS),
        healthy=tuple(NUMBERS),
        remedy=lambda seed: _standardised(sums(seed, 300.0, 2000.0), target=True),
    ),
    case(
        "shuffled labels",
        "dumb-baseline overfitting slow-convergence underfitting",
        lambda seed, broken: _shuffled(tones(seed), seed) if broken else tones(seed),
    ),
    case(
        "softmax twice",
        "loss-output-mismatch",
        lambda seed, broken: tones(seed),
        mistake="softmax twice",
        mends=True,
    ),
    case(
        "classes 100 : 1",
        "class-balance constant-output dumb-baseline",
        lambda seed, broken: tones(seed, 1200, rare=0.01 if broken else 0.5),
        broken=("task=classify_text", "training.monitor=macro_f1"),
        healthy=("task=classify_text", "training.monitor=macro_f1"),
    ),
    case(
        "validation rows in training",
        "seen-in-training suspiciously-good",
        lambda seed, broken: _leaked(tones(seed)) if broken else tones(seed),
    ),
    case(
        "tiny data, huge model",
        "parameters-per-step overfitting",
        lambda seed, broken: _few(tones(seed), 32 if broken else 480),
        broken=("model.hidden_size=128", "training.epochs=40"),
    ),
    case(
        "exploding gradients",
        "exploding-gradient huge-values not-finite",
        lambda seed, broken: recall(seed, 80),
        broken=(
            "model.cell=rnn",
            "model.nonlinearity=relu",
            "initialization.name=identity",
            "optimizer.clip_norm=0",
            "optimizer.name=sgd",
            "optimizer.learning_rate=0.02",
            "training.epochs=6",
        ),
        healthy=("initialization.name=chrono", "initialization.steps=80", "training.epochs=10"),
        mistake="grown",
    ),
    case(
        "no dropout, overfit",
        "overfitting parameters-per-step",
        lambda seed, broken: _few(
            tones(seed, noise=1.2 if broken else 0.7), 160 if broken else 480
        ),
        broken=("model.hidden_size=48", "training.epochs=30"),
    ),
    case(
        "regularised to death",
        "underfitting dropout-too-large",
        lambda seed, broken: tones(seed),
        broken=("regularization.dropout=0.9", "regularization.l2.recurrent=0.1"),
        healthy=("regularization.dropout=0.2",),
    ),
    case(
        "window shorter than the dependence",
        "window-too-short",
        lambda seed, broken: recall(seed, 40),
        broken=(
            "task=generate",
            "text.bptt=10",
            "coach.lag=40",
            "initialization.name=chrono",
            "initialization.steps=40",
            "training.epochs=10",
        ),
        healthy=(
            "task=generate",
            "text.bptt=50",
            "coach.lag=40",
            "initialization.name=chrono",
            "initialization.steps=40",
            "training.epochs=10",
        ),
    ),
    case(
        "forecast that copies",
        "lag-copy dumb-baseline",
        lambda seed, broken: walks(seed, told=not broken),
        broken=(*NUMBERS, "optimizer.learning_rate=1e-2", "training.epochs=20"),
        healthy=(*NUMBERS, "optimizer.learning_rate=1e-2", "training.epochs=20"),
    ),
    case(
        "constant output",
        "constant-output",
        lambda seed, broken: sums(seed),
        broken=tuple(NUMBERS),
        healthy=tuple(NUMBERS),
        mistake="unplugged",
    ),
    case("a NaN in the data", "not-finite", lambda seed, broken: tones(seed), mistake="nan"),
]


@dataclass(frozen=True)
class Outcome:
    """What the coach said of a run, and the best that the run reached on validation."""

    findings: tuple[Finding, ...]
    evidence: Evidence

    @property
    def codes(self) -> set[str]:
        return {f.code for f in self.findings if f.severity != "info"}

    @property
    def reached(self) -> float:
        """The last validation metric, larger is better."""
        e = self.evidence
        values = e.curve("validation", e.monitor)
        if not values:
            return float("-inf")
        return values[-1] if e.higher_is_better else -values[-1]


def run(
    one: Case, seed: int, broken: bool, more: tuple[str, ...] = (), *, remedied: bool = False
) -> Outcome:
    """Train the case and ask the coach."""
    settings = [*COMMON, *(one.broken if broken else one.healthy), *more]
    config = Config().override(settings)
    data, mistake = one.data(seed, broken), one.mistake if broken else ""
    if remedied and one.remedy:
        data = one.remedy(seed)
    if remedied and one.mends:
        mistake = ""
    task = SeededTask(config, seed, data, mistake)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "run"
        run_folder = new_run(path, config, seed=seed, threads=1, device="cpu")
        with EventStore(run_folder.events) as store:
            fabric = Fabric(accelerator="cpu", devices=1)
            trainer = Trainer(task, run_folder, store, Display(), fabric)
            try:
                trainer.fit()
                ended = True
            except TrainingDiverged:
                ended = False
        evidence, _ = read_run(path)
    if ended:
        evidence.result = {"test": {}, "baseline": {}, "data": task.account()}
    monitor = diagnose(evidence, finished=ended)
    return Outcome(tuple(monitor.standing.values()), evidence)


def report(seeds: list[int]) -> None:
    rows, false, healthy_runs, hits, total = [], {}, 0, 0, 0
    for one in CASES:
        found = []
        for seed in seeds:
            codes = run(one, seed, True).codes
            found.append(sorted(codes & one.found_by))
            twin = run(one, seed, False).codes
            healthy_runs += 1
            if twin:
                false[f"{one.name} / {seed}"] = sorted(twin)
        caught = sum(bool(codes) for codes in found)
        hits, total = hits + caught, total + len(seeds)
        names = sorted({code for codes in found for code in codes})
        rows.append((one.name, caught, len(seeds), names))
        print(f"| {one.name} | {caught} of {len(seeds)} | {', '.join(names)} |", flush=True)
    precision = hits / max(1, hits + len(false))
    print(f"recall {hits}/{total} = {hits / total:.3f}")
    print(f"healthy runs with a finding: {len(false)} of {healthy_runs}: {json.dumps(false)}")
    print(f"precision (runs that were broken, of those spoken of) {precision:.3f}")


def first_line(found: Outcome, one: Case) -> tuple[str, list[str]] | None:
    """The first settings that the expected findings suggest, and the code that does."""
    for finding in by_severity(list(found.findings)):
        if finding.code in one.found_by:
            for advice in finding.advice:
                if settings_of(advice.do):
                    return finding.code, settings_of(advice.do)
    return None


def explained(outcome: Outcome, one: Case, seed: int, remedied: bool) -> float:
    """The validation metric, larger is better: of numbers, the share of variance explained."""
    if outcome.evidence.monitor != "mse":
        return outcome.reached
    data = one.remedy(seed) if remedied and one.remedy else one.data(seed, True)
    return 1 + outcome.reached / float(data.validation.y.var())


def advice(seeds: list[int]) -> None:
    for one in CASES:
        pairs, told = [], None
        for seed in seeds:
            before = run(one, seed, True)
            by_hand = one.by_hand
            found = ("", []) if by_hand else first_line(before, one)
            if found is None:
                continue
            told = ("by hand", "the first advice") if by_hand else (found[0], " ".join(found[1]))
            after = run(one, seed, True, tuple(found[1]), remedied=by_hand)
            old = explained(before, one, seed, False)
            pairs.append((old, explained(after, one, seed, by_hand)))
        if told is None:
            print(f"| {one.name} | no line to paste | | | | |", flush=True)
            continue
        old, new = (statistics.median(side) for side in zip(*pairs, strict=True))
        better = sum(b > a for a, b in pairs)
        shown = f"{told[0]} | `{told[1]}` | {old:.3f} | {new:.3f} | {better} of {len(pairs)}"
        print(f"| {one.name} | {shown} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    what, *given = sys.argv[1:] or ["report"]
    if "--only" in given:
        place = given.index("--only")
        CASES = [one for one in CASES if one.name == given[place + 1]]
        del given[place : place + 2]
    {"report": report, "advice": advice}[what]([int(seed) for seed in given] or [0, 1])
