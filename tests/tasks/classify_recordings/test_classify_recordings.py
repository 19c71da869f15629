"""A label for a whole recording: masks, order, sounds, what a trained one says."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from sklearn.preprocessing import StandardScaler
from small_recordings import recordings_config, tone, write_classes, write_sounds

import carousel
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.data.ragged import Ragged
from carousel.data.regular import filled_in_words
from carousel.errors import ConfigError, DataError
from carousel.tasks.classify_recordings.task import ClassifyRecordingsTask
from carousel.tasks.shared.baselines.examples import fit_recordings, summaries
from carousel.tasks.shared.pooled import PooledNetwork, outputs_of
from carousel.tasks.shared.task import Json, Notice
from carousel.training import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_classes(tmp_path_factory.mktemp("classes"))


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    return train(recordings_config(folder), run_dir=path, threads=1, quiet=True)


@pytest.fixture(scope="module")
def model(run):
    return run.load()


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_padding_and_company_never_change_a_class(pooling):
    torch.manual_seed(3)
    config = recordings_config("x", "model.bidirectional=true", f"model.pooling={pooling}")
    network = PooledNetwork(3, 4, config)
    together = Ragged.of([torch.randn(length, 3) for length in (1, 30, 7, 12)])
    logits = outputs_of(network, together)
    for number, row in enumerate(logits):
        alone = outputs_of(network, together.take(torch.tensor([number])))
        torch.testing.assert_close(row, alone[0])


def test_padding_is_in_no_loss(folder):
    task = ClassifyRecordingsTask(recordings_config(folder), seed=0)
    network = task.build_model().eval()
    values, lengths, labels = next(task.train_batches(0, 0))
    step = task.loss(network, (values, lengths, labels))
    padding = torch.full((len(values), 9, values.size(2)), 5.0)
    again = task.loss(network, (torch.cat((values, padding), 1), lengths, labels))
    torch.testing.assert_close(again.objective, step.objective)
    chances = network(values, lengths).log_softmax(1)
    by_hand = -chances.gather(1, labels.unsqueeze(1)).sum()
    torch.testing.assert_close(step.sums["loss"], by_hand.detach())


def test_the_features_are_standardised_by_the_training_part_alone(folder):
    task = ClassifyRecordingsTask(recordings_config(folder, "frames.differences=true"), seed=0)
    torch.testing.assert_close(task._train.values.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    assert task._validation.values.mean(0).abs().max() > 1e-4


def test_noise_is_for_training_alone(folder):
    task = ClassifyRecordingsTask(recordings_config(folder, "frames.noise=1.0"), seed=0)
    network, batch = task.build_model(), next(task.train_batches(0, 0))
    network.eval()
    quiet = [float(task.loss(network, batch).sums["loss"]) for _ in range(2)]
    network.train()
    noisy = [float(task.loss(network, batch).sums["loss"]) for _ in range(2)]
    assert quiet[0] == quiet[1]
    assert len({*noisy, quiet[0]}) == 3


def test_the_run_learns_an_order_that_summaries_do_not_hold(run):
    result = run.result
    assert result["test"]["accuracy"] == 1.0
    assert max(row["accuracy"] for row in result["baseline"].values()) < 1.0
    assert result["data"]["sizes"] == {"train": 16, "validation": 4, "test": 4}
    assert result["data"]["also_in_training"] == {"validation": 0, "test": 0}
    assert (run.path / "confusion.png").stat().st_size > 1000
    report = json.loads((run.path / "evaluation.json").read_text())
    assert report["mistakes"] == []


def test_summaries_are_those_of_each_recording():
    rows = [torch.randn(length, 3) for length in (5, 1, 8)]
    found = summaries(Ragged.of(rows))
    for row, x in zip(found, rows, strict=True):
        x = x.numpy()
        wanted = [x.mean(0), x.std(0), x.min(0), x.max(0), x[0], x[-1], [np.log(len(x))]]
        np.testing.assert_allclose(row, np.concatenate(wanted), rtol=1e-5, atol=1e-6)


def test_the_nearest_neighbour_is_the_nearest():
    torch.manual_seed(0)
    train_rows = Ragged.of([torch.randn(int(n), 2) + n % 3 for n in torch.randint(2, 9, (20,))])
    test_rows = Ragged.of([torch.randn(int(n), 2) + n % 3 for n in torch.randint(2, 9, (9,))])
    labels, truth = np.arange(20) % 4, np.arange(9) % 4
    scaler = StandardScaler().fit(summaries(train_rows))
    x, y = scaler.transform(summaries(train_rows)), scaler.transform(summaries(test_rows))
    guess = labels[((x[None] - y[:, None]) ** 2).sum(2).argmin(1)]
    found = fit_recordings(train_rows, labels, test_rows, truth)["nearest_neighbour"]
    assert found["accuracy"] == (guess == truth).mean()


def test_classes_of_recordings_in_numbers(run, model, folder):
    tables = [
        np.genfromtxt(folder / label / "r0.csv", delimiter=",", skip_header=1)
        for label in ("up-down", "down-up")
    ]
    assert [answer.label for answer in model.predict(tables)] == ["up-down", "down-up"]
    assert carousel.load(run.path).predict(tables) == model.predict(tables)
    assert model.predict(tables[0]) == model.predict(tables[:1])
    np.testing.assert_allclose(model.predict_proba(tables).sum(1), 1, atol=1e-5)
    assert model.predict([]) == []


def test_the_command_answers_of_a_file_a_folder_or_in_json(model, folder, tmp_path):
    (table,) = respond(model, Request(folder / "up-down" / "r0.csv"))
    assert table.rows[0][0] == "up-down"
    (table,) = respond(model, Request(folder / "up-down"))
    assert [row[1] for row in table.rows] == ["up-down"] * 12
    (answer,) = respond(model, Request(folder / "up-down" / "r0.csv", as_json=True))
    assert isinstance(answer, Json)
    assert answer.content[0]["class"] == "up-down"
    (tmp_path / "x.csv").write_text("pulse,noise\n1,0\n,0\n")
    notice, _ = respond(model, Request(tmp_path / "x.csv"))
    assert notice == Notice(filled_in_words(1))


def test_what_is_no_recording_is_refused(model, tmp_path):
    with pytest.raises(DataError, match=r"shape \(steps, 2\), as in training; .* \(5, 3\)"):
        model.predict([np.zeros((5, 3))])
    with pytest.raises(DataError, match="NaN or infinity"):
        model.predict([np.full((5, 2), np.nan)])
    with pytest.raises(ConfigError, match="name a recording"):
        list(respond(model, Request()))
    with pytest.raises(DataError, match="there is no file"):
        list(respond(model, Request(Path("nowhere.csv"))))
    with pytest.raises(DataError, match="the model reads numbers"):
        list(respond(model, Request(tmp_path / "x.wav")))
    with pytest.raises(DataError, match="has no file of the kind"):
        list(respond(model, Request(tmp_path)))


def test_sounds_of_any_rate_loudness_and_number_of_channels_are_told_apart(tmp_path):
    folder = write_sounds(tmp_path)
    config = recordings_config(folder, "training.epochs=15", "sound.mels=20")
    model = train(config, run_dir=tmp_path / "run", threads=1, quiet=True).load()
    for rate in (8000, 16000, 44100):
        for label, pitch in (("high", 1800), ("low", 300)):
            file = tmp_path / f"{label}-{rate}.wav"
            left = tone(pitch, 0.2, rate, loudness=0.05)
            soundfile.write(file, np.stack((left, left), 1), rate)
            assert [answer.label for answer in model.predict([file])] == [label]
            (table,) = respond(model, Request(file))
            assert table.rows[0][0] == label
    with pytest.raises(DataError, match="the model reads sound"):
        list(respond(model, Request(tmp_path / "x.csv")))


@pytest.mark.parametrize(
    "setting",
    [
        "data.view=pixels",
        "frames.window=9",
        "text.level=character",
        "model.tied=true",
        "model.adaptive_softmax=9",
    ],
)
def test_settings_without_effect_are_refused(folder, setting):
    with pytest.raises(ConfigError, match="has no effect in the task 'classify_recordings'"):
        ClassifyRecordingsTask(recordings_config(folder, setting), seed=0)
