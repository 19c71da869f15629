"""A run that was killed and resumed ends as one that was left alone: bit for bit."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal

import dying
import pytest
from small import small_config
from small_many import many_config, write_many
from small_sentences import sentence_config, write_sentences
from small_text import text_config, write_lines, write_text

from carousel.run.reading import events, series

# A server that has imported everything and used no thread yet; each run is a fork of it.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["dying", "carousel.training", "sklearn.linear_model"])


def run(target, *arguments) -> int | None:
    """Exit code of a process that runs `target`; negative if a signal ended it."""
    process = processes.Process(target=target, args=arguments)
    process.start()
    process.join(timeout=120)
    assert process.exitcode is not None, "the process hangs"
    return process.exitcode


def outcome(folder):
    result = json.loads((folder / "result.json").read_text())
    del result["seconds"], result["coach"]  # which looks when it has the time
    result.get("pretraining", {}).pop("seconds", None)
    for scores in result["baseline"].values():
        scores.pop("seconds", None)
    steps = series(folder / "events.sqlite", "train/loss")
    epochs = [
        {k: v for k, v in event.items() if k not in ("time", "seconds")}
        for event in events(folder / "events.sqlite", "epoch")
    ]
    weights = (folder / "model" / "weights.safetensors").read_bytes()
    return result, steps, epochs, weights


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_killed_ten_times_and_resumed_equals_uninterrupted(tmp_path, threads):
    # A checkpoint at about every step, so that each kill finds another one.
    config = small_config("training.checkpoint_seconds=1e-9")
    assert run(dying.start, tmp_path / "whole", config, threads) == 0
    chance = random.Random(threads)
    killed = tmp_path / "killed"
    moments = [*dying.MOMENTS[:-1] * 2, "after a step", "at the end"]
    first, *others = moments
    code = run(dying.start_and_die, killed, config, threads, chance.randint(1, 9), first)
    assert code == -signal.SIGKILL
    for moment in others:
        assert run(dying.go_on_and_die, killed, chance.randint(1, 9), moment) == -signal.SIGKILL
        assert not (killed / "result.json").exists()
    assert run(dying.go_on, killed) == 0
    whole_result, *whole_rest = outcome(tmp_path / "whole")
    killed_result, *killed_rest = outcome(killed)
    assert killed_result == whole_result
    assert killed_rest == whole_rest
    assert len(whole_rest[0]) == whole_result["steps"] == 96
    assert len(list(events(killed / "events.sqlite", "resumed"))) > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ("optimizer.name=nesterov", "schedule.name=plateau", "schedule.patience=0"),
        ("optimizer.name=rmsprop", "schedule.name=cosine", "model.cell=gru"),
        ("optimizer.name=adagrad", "schedule.name=constant", "model.cell=rnn"),
        ("optimizer.name=adamw", "training.monitor=loss", "training.restore_best=false"),
        ("optimizer.name=sgd", "training.max_steps=60", "model.num_layers=2"),
    ],
)
def test_every_optimizer_and_schedule_resumes_exactly(tmp_path, settings):
    config = small_config("training.checkpoint_seconds=1e-9", *settings)
    assert run(dying.start, tmp_path / "whole", config, 1) == 0
    code = run(dying.start_and_die, tmp_path / "killed", config, 1, 40, "after a step")
    assert code == -signal.SIGKILL
    assert run(dying.go_on, tmp_path / "killed") == 0
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


SMOOTHED = ["many.transform=log", "many.smoothing=es", "many.steady=1", "model.dilations='1, 2'"]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [[], SMOOTHED], ids=["plain", "smoothed and dilated"])
def test_many_series_resume_exactly(tmp_path, settings):
    more = ["training.checkpoint_seconds=1e-9", "regularization.dropout=0.2", *settings]
    config = many_config(write_many(tmp_path), *more)
    assert run(dying.start, tmp_path / "whole", config, 1) == 0
    code = run(dying.start_and_die, tmp_path / "killed", config, 1, 7, "after a step")
    assert code == -signal.SIGKILL
    assert run(dying.go_on, tmp_path / "killed") == 0
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


@pytest.mark.slow
def test_a_kill_before_the_first_checkpoint_starts_over(tmp_path):
    config = small_config("training.epochs=1")
    code = run(dying.start_and_die, tmp_path / "killed", config, 1, 0, "inside a checkpoint")
    assert code == -signal.SIGKILL
    assert run(dying.go_on, tmp_path / "killed") == 0
    assert run(dying.start, tmp_path / "whole", config, 1) == 0
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        # Killed inside an epoch: the carried state, the averages and the norms must come back.
        ("averaging.name=ema", "averaging.decay=0.9", "optimizer.clip_norm=0",
         "optimizer.clip_percentile=50", "schedule.name=zaremba", "schedule.hold=1"),
        ("averaging.name=mean", "averaging.start=1", "model.cell=gru", "model.num_layers=2",
         "regularization.dropout=0.3", "regularization.input_dropout=0.1",
         "regularization.activation=1", "training.restore_best=false",
         "regularization.max_norm.recurrent=1"),
        ("model.cell=rnn", "model.tied=true", "text.loss_scale=steps", "text.level=character"),
        ("model.tied=true", "model.adaptive_softmax=3", "schedule.name=cosine"),
    ],
)  # fmt: skip
def test_a_language_model_resumes_exactly(tmp_path, settings):
    config = text_config(write_text(tmp_path), "training.checkpoint_seconds=1e-9", *settings)
    assert run(dying.start, tmp_path / "whole", config, 1) == 0
    steps = outcome(tmp_path / "whole")[0]["steps"]
    code = run(dying.start_and_die, tmp_path / "killed", config, 1, 2 * steps // 3, "after a step")
    assert code == -signal.SIGKILL
    assert run(dying.go_on, tmp_path / "killed") == 0
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "moment"), [*((11, moment) for moment in dying.MOMENTS), (40, "after a step")]
)
def test_a_run_killed_in_its_pre_training_or_after_it_ends_with_the_same_bits(
    tmp_path, steps, moment
):
    config = sentence_config(
        write_sentences(tmp_path),
        *("pretraining.epochs=2", "pretraining.unfreeze=1", "pretraining.rate_decay=0.4"),
        *("training.epochs=2", "training.checkpoint_seconds=1e-9", "averaging.name=ema"),
    )
    assert run(dying.start, tmp_path / "whole", config, 1) == 0
    killed = tmp_path / "killed"
    assert run(dying.start_and_die, killed, config, 1, steps, moment) == -signal.SIGKILL
    assert not (killed / "result.json").exists()
    assert run(dying.go_on, killed) == 0
    assert len(list(events(killed / "events.sqlite", "pretrained"))) == 1
    assert outcome(killed) == outcome(tmp_path / "whole")


@pytest.mark.slow
def test_labelled_lines_resume_exactly(tmp_path):
    config = text_config(write_lines(tmp_path), "training.checkpoint_seconds=1e-9")
    assert run(dying.start, tmp_path / "whole", config, 1) == 0
    code = run(dying.start_and_die, tmp_path / "killed", config, 1, 30, "before a step")
    assert code == -signal.SIGKILL
    assert run(dying.go_on, tmp_path / "killed") == 0
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")
