"""Models of other packages with `carousel.accelerate` against `torch.nn`, in interleaved rounds.

    pip install --no-deps darts encodec demucs gluonts neuralforecast openunmix stanza \\
        pytorch-forecasting Resemblyzer sb3-contrib stable-baselines3 torch-geometric torchrl ...
    python benchmarks/real_models.py [--rounds 15] [--threads 1] [--only ppo]

Weights are random, inputs too: only times are compared, after the outputs were found to agree. A
ratio is the time of `torch.nn` over ours, above 1 where ours is faster: the median of the rounds
and their quartiles. Inference is one call for one row; training a forward and a backward pass. A
package that is not installed is skipped, and so is a model that fails, each with its reason.
"""

from __future__ import annotations

import argparse
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


def charlm() -> Model:
    """Stanza: a language model of letters, for one line and for 32 of 250 letters."""
    from stanza.models.common.char_model import CharacterLanguageModel

    sizes = {"char_emb_dim": 100, "char_hidden_dim": 1024, "char_num_layers": 1}
    rates = {"char_dropout": 0.0, "char_rec_dropout": 0.0}
    module = CharacterLanguageModel(sizes | rates, {"char": ["?"] * 200})

    def inputs(rows: int, length: int) -> tuple[Tensor, list[int]]:
        return torch.randint(4, 200, (rows, length)), [length] * rows

    one, many = inputs(1, 80), inputs(32, 250)
    return Model(module, lambda m: m(*one)[2], lambda m: m(*many)[2].square().mean())


def darts_rnn() -> Model:
    """Darts: the module of RNNModel with an LSTM."""
    from darts.models.forecasting.rnn_model import _RNNModule
    from darts.utils.data.torch_datasets.utils import PLModuleInput

    module = _RNNModule(
        name="LSTM",
        input_size=8,
        hidden_dim=64,
        num_layers=1,
        target_size=1,
        nr_params=1,
        input_chunk_length=72,
        output_chunk_length=1,
        train_sample_shape=None,
    )
    one, many = (PLModuleInput(torch.randn(rows, 72, 8)) for rows in (1, 32))
    return Model(module, lambda m: m(one).prediction, lambda m: m(many).prediction.square().sum())


def encodec() -> Model:
    """EnCodec: the codec of 24 kHz without its quantiser; a second of sound, four of half a one."""
    from encodec.modules import SEANetDecoder, SEANetEncoder

    module = nn.Sequential(
        SEANetEncoder(causal=True, norm="weight_norm"),
        SEANetDecoder(causal=True, norm="weight_norm"),
    )
    one, many = torch.randn(1, 1, 24_000), torch.randn(4, 1, 12_000)
    return Model(module, lambda m: m(one), lambda m: m(many).square().mean())


def hdemucs() -> Model:
    """Demucs: the hybrid network of two branches, stereo; two seconds, in training one."""
    from demucs.hdemucs import HDemucs

    module = HDemucs(["drums", "bass", "other", "vocals"], dconv_lstm=4)
    one, many = torch.randn(1, 2, 88_200), torch.randn(1, 2, 44_100)
    return Model(module, lambda m: m(one), lambda m: m(many).square().mean())


def neuralforecast() -> Model:
    """NeuralForecast: its LSTM encoder with a decoder, a week of hours."""
    from neuralforecast.models import LSTM

    module = LSTM(h=24, input_size=168, encoder_hidden_size=128, encoder_n_layers=2, max_steps=1)

    def inputs(rows: int) -> dict[str, Any]:
        values = torch.randn(rows, 168, 1)
        nothing = {"hist_exog": None, "futr_exog": None, "stat_exog": None}
        return {"insample_y": values, "insample_mask": torch.ones_like(values), **nothing}

    one, many = inputs(1), inputs(32)
    return Model(module, lambda m: m(one), lambda m: m(many).square().sum())


def openunmix() -> Model:
    """Open-Unmix: three bidirectional LSTMs over a spectrogram, 200 frames of it."""
    from openunmix.model import OpenUnmix

    module = OpenUnmix(nb_bins=2049, max_bin=1487)
    one, many = torch.rand(1, 2, 2049, 200), torch.rand(8, 2, 2049, 100)
    return Model(module, lambda m: m(one), lambda m: m(many).square().mean())


def resemblyzer() -> Model:
    """Resemblyzer: the encoder of voices, three LSTMs; 1.6 s of sound as 160 frames."""
    from resemblyzer.voice_encoder import VoiceEncoder

    module = VoiceEncoder("cpu", verbose=False)
    one, many = torch.rand(1, 160, 40), torch.rand(64, 160, 40)
    return Model(module, lambda m: m(one), lambda m: m(many)[:, ::7].sum())


def tagger() -> Model:
    """Stanza: the packed LSTM of its older taggers, sentences of 5 to 44 words."""
    from stanza.models.common.packed_lstm import PackedLSTM

    module = PackedLSTM(200, 200, 2, batch_first=True, bidirectional=True, pad=True)
    many_lengths = sorted((5 + (7 * row) % 40 for row in range(64)), reverse=True)
    one, many = torch.randn(1, 20, 200), torch.randn(64, max(many_lengths), 200)
    return Model(
        module,
        lambda m: m(one, [20])[0],
        lambda m: m(many, many_lengths)[0].square().sum(),
    )


def tft() -> Model:
    """PyTorch Forecasting: the temporal fusion transformer, two weeks in and a week ahead."""
    from pytorch_forecasting import TemporalFusionTransformer

    known, unknown = [f"known{n}" for n in range(4)], [f"past{n}" for n in range(4)]
    module = TemporalFusionTransformer(
        hidden_size=32,
        lstm_layers=1,
        attention_head_size=4,
        output_size=7,
        x_reals=known + unknown,
        time_varying_reals_encoder=known + unknown,
        time_varying_reals_decoder=known,
        output_transformer=lambda output: output["prediction"],
    )

    def inputs(rows: int) -> dict[str, Tensor]:
        return {
            "encoder_cont": torch.randn(rows, 336, 8),
            "decoder_cont": torch.randn(rows, 168, 8),
            "encoder_cat": torch.zeros(rows, 336, 0, dtype=torch.long),
            "decoder_cat": torch.zeros(rows, 168, 0, dtype=torch.long),
            "encoder_lengths": torch.full((rows,), 336),
            "decoder_lengths": torch.full((rows,), 168),
            "target_scale": torch.tensor([[0.0, 1.0]]).expand(rows, 2),
        }

    one, many = inputs(1), inputs(16)
    return Model(module, lambda m: m(one).prediction, lambda m: m(many).prediction.square().mean())


MODELS = {
    "charlm": charlm,
    "darts": darts_rnn,
    "deepar": deepar,
    "encodec": encodec,
    "graph": graph,
    "hdemucs": hdemucs,
    "neuralforecast": neuralforecast,
    "openunmix": openunmix,
    "ppo": ppo,
    "resemblyzer": resemblyzer,
    "tagger": tagger,
    "tft": tft,
    "torchrl": torchrl_lstm,
}


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


def compare(make: Callable[[], Model], rounds: int) -> dict[str, list[float]]:
    """Ratios of each round, by mode. Raises ValueError if ours computes something else."""
    made = []
    for _ in range(2):  # not copied: some modules refuse that
        torch.manual_seed(0)
        made.append(make())
    model, theirs = made[0], made[0].module
    ours = carousel.accelerate(made[1].module, subclasses=True)
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
        try:
            found = compare(make, arguments.rounds)
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
