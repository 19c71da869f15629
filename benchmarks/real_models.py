"""Models of other packages with `carousel.accelerate` against `torch.nn`, in interleaved rounds.

    pip install --no-deps gluonts torch-geometric sb3-contrib stable-baselines3 torchrl ...
    python benchmarks/real_models.py [--rounds 15] [--threads 1] [--only ppo]

Weights are random, inputs too: only times are compared, after the outputs were found to agree. A
ratio is the time of `torch.nn` over ours, above 1 where ours is faster: the median of the rounds
and their quartiles. Inference is one call for one row; training a forward and a backward pass. A
package that is not installed is skipped, and so is a model that fails, each with its reason.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import carousel

TOLERANCE = 1e-4  # of the largest magnitude


@dataclass(frozen=True)
class Model:
    """A module, and what is computed with it: for one row, and of a batch as in training."""

    module: nn.Module
    infer: Callable[[Any], Tensor]
    train: Callable[[Any], Tensor]


def deepar() -> Model:
    """GluonTS: the network of DeepAR, its likelihood; samples of a day ahead in inference."""
    from gluonts.torch.model.deepar.module import DeepARModel

    module = DeepARModel(freq="h", context_length=48, prediction_length=24, num_feat_dynamic_real=5)

    def inputs(rows: int) -> dict[str, Tensor]:
        spec = module.describe_inputs(rows)
        return {
            name: torch.zeros(each.shape, dtype=each.dtype)
            if each.dtype == torch.long
            else torch.rand(each.shape, dtype=each.dtype)
            for name, each in spec.items()
        }

    one, many = inputs(1), inputs(32)
    future = {
        "future_observed_values": torch.ones(32, 24),
        "future_target": torch.rand(32, 24),
    }

    def sample(model: Any) -> Tensor:
        torch.manual_seed(0)
        samples: Tensor = model(**one, num_parallel_samples=20)
        return samples

    return Model(module, sample, lambda model: model.loss(**many, **future).sum())


def graph() -> Model:
    """PyTorch Geometric: neighbours of a node as a sequence of an LSTM."""
    from torch_geometric.nn import LSTMAggregation

    def inputs(nodes: int) -> tuple[Tensor, Tensor]:
        return torch.randn(8 * nodes, 64), torch.arange(nodes).repeat_interleave(8)

    one, many = inputs(1), inputs(256)
    return Model(LSTMAggregation(64, 64), lambda m: m(*one), lambda m: m(*many).square().sum())


def ppo() -> Model:
    """Stable-Baselines3 contrib: the recurrent policy of PPO, acting and being evaluated."""
    import gymnasium
    import numpy as np
    from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
    from sb3_contrib.common.recurrent.type_aliases import RNNStates

    policy = RecurrentActorCriticPolicy(
        gymnasium.spaces.Box(-1, 1, (8,), np.float32),
        gymnasium.spaces.Discrete(4),
        lambda _: 3e-4,
    )

    def states(rows: int) -> Any:
        zeros = (torch.zeros(1, rows, 256), torch.zeros(1, rows, 256))
        return RNNStates(zeros, zeros)

    one, many = torch.randn(1, 8), torch.randn(128, 8)
    actions, starts = torch.zeros(128, dtype=torch.long), torch.zeros(128)
    starts[::64] = 1  # two episodes

    def evaluate(model: Any) -> Tensor:
        values, likelihood, _ = model.evaluate_actions(many, actions, states(2), starts)
        total: Tensor = values.sum() + likelihood.sum()
        return total

    return Model(
        policy, lambda m: m(one, states(1), torch.zeros(1), deterministic=True)[1], evaluate
    )


def torchrl_lstm() -> Model:
    """TorchRL: its module of an LSTM, for one step and for a trajectory."""
    from tensordict import TensorDict
    from torchrl.modules import LSTMModule, set_recurrent_mode

    module = LSTMModule(input_size=32, hidden_size=128, in_key="x", out_key="y")

    def inputs(*shape: int) -> Any:
        hidden = (*shape, 1, 128)
        keys = {"x": torch.randn(*shape, 32), "is_init": torch.zeros(*shape, 1, dtype=torch.bool)}
        state = {f"recurrent_state_{part}": torch.zeros(hidden) for part in "hc"}
        return TensorDict(keys | state, shape)

    one, many = inputs(1), inputs(16, 50)

    def train(model: Any) -> Tensor:
        with set_recurrent_mode(True):
            total: Tensor = model(many.clone(False))["y"].square().sum()
        return total

    return Model(module, lambda m: m(one.clone(False))["y"], train)


MODELS = {"deepar": deepar, "graph": graph, "ppo": ppo, "torchrl": torchrl_lstm}


def calls(model: Model, module: nn.Module) -> dict[str, Callable[[], Tensor]]:
    """What is timed, by its name."""

    def infer() -> Tensor:
        with torch.inference_mode():
            return model.infer(module)

    def train() -> Tensor:
        module.zero_grad()
        loss = model.train(module)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    return {"inference": infer, "training": train}


def compare(model: Model, rounds: int) -> dict[str, list[float]]:
    """Ratios of each round, by mode. Raises ValueError if ours computes something else."""
    theirs, ours = model.module, carousel.accelerate(copy.deepcopy(model.module))
    if not any(
        isinstance(part, carousel.RNN | carousel.GRU | carousel.LSTM) for part in ours.modules()
    ):
        raise ValueError("no layer was accelerated")
    found: dict[str, list[float]] = {}
    for mode in ("inference", "training"):
        for module in (theirs, ours):
            module.train(mode == "training")
        for part in [*theirs.modules(), *ours.modules()]:
            if isinstance(part, nn.Dropout):
                part.p = 0.0
            elif isinstance(part, nn.RNNBase):
                part.dropout = 0.0  # drawn, the outputs could not be compared
        pair = [calls(model, module)[mode] for module in (theirs, ours)]
        expected, actual = (call() for call in pair)
        if not (actual - expected).abs().max() <= TOLERANCE * expected.abs().max().clamp(min=1e-3):
            raise ValueError(f"{mode}: another output than torch.nn's")
        found[mode] = ratios(pair[0], pair[1], rounds)
    return found


def ratios(theirs: Callable[[], Any], ours: Callable[[], Any], rounds: int) -> list[float]:
    """Time of `theirs` over `ours`, round by round; each begins every other round."""

    def seconds(call: Callable[[], Any]) -> float:
        started = time.perf_counter()
        for _ in range(count):
            call()
        return time.perf_counter() - started

    count = 1
    count = max(1, round(0.02 / max(seconds(ours), 1e-6)))
    found = []
    for number in range(rounds):
        pair = (theirs, ours) if number % 2 == 0 else (ours, theirs)
        first, second = (seconds(call) for call in pair)
        found.append(first / second if number % 2 == 0 else second / first)
    return found


def in_words(values: list[float]) -> str:
    """Median and quartiles.

    >>> in_words([1.0, 2.0, 3.0])
    '2.00 (1.50–2.50)'
    """
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{median:.2f} ({low:.2f}–{high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", default="", help="models with this in their name")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    medians: dict[str, list[float]] = {"inference": [], "training": []}
    for name, make in MODELS.items():
        if arguments.only not in name:
            continue
        torch.manual_seed(0)
        try:
            found = compare(make(), arguments.rounds)
        except Exception as error:  # whatever a package does wrong is its row
            print(f"{name:10} skipped: {type(error).__name__}: {error}".splitlines()[0], flush=True)
            continue
        words = "  ".join(f"{mode} {in_words(values)}" for mode, values in found.items())
        print(f"{name:10} {words}", flush=True)
        for mode, values in found.items():
            medians[mode].append(statistics.median(values))
    for mode, values in medians.items():
        if values:
            print(f"median of {len(values)} models, {mode}: {statistics.median(values):.2f}")


if __name__ == "__main__":
    main()
