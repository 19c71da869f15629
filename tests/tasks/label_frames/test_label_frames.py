"""Labels of frames: masks, differences, whole recordings, what a trained one says."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_frames import film_config, frames_config, write_recordings

import carousel
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.data.ragged import Ragged, with_differences
from carousel.data.regular import filled_in_words
from carousel.errors import ConfigError, DataError
from carousel.tasks.label_frames.scores import judge
from carousel.tasks.label_frames.task import LabelFramesTask
from carousel.tasks.shared.frames import build_model, logits_of
from carousel.tasks.shared.task import Json, Notice
from carousel.training import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("frames"))


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    return train(frames_config(folder), run_dir=path, threads=1, quiet=True)


@pytest.fixture(scope="module")
def model(run):
    return run.load()


def test_padding_and_company_never_change_a_label():
    torch.manual_seed(3)
    network = build_model(4, 3, frames_config("x", "model.bidirectional=true"))
    lengths = [1, 30, 7, 12]
    together = Ragged.of([torch.randn(length, 4) for length in lengths])
    logits = torch.split(logits_of(network, together), lengths)
    for number, row in enumerate(logits):
        alone = logits_of(network, together.take(torch.tensor([number])))
        torch.testing.assert_close(row, alone)


def test_unlabelled_frames_and_padding_are_in_no_loss(folder):
    task = LabelFramesTask(frames_config(folder), seed=0)
    network = task.build_model().eval()
    values, lengths, labels = next(task.train_batches(0, 0))
    step = task.loss(network, (values, lengths, labels))
    assert step.count == int((labels >= 0).sum()) < labels.numel()
    padding = torch.full((len(values), 9, values.size(2)), 5.0)
    masked = torch.nn.functional.pad(labels, (0, 9), value=-1)
    again = task.loss(network, (torch.cat((values, padding), 1), lengths, masked))
    torch.testing.assert_close(again.objective, step.objective)
    chances = network(values, lengths)[labels >= 0].log_softmax(1)
    by_hand = -chances.gather(1, labels[labels >= 0].unsqueeze(1)).sum()
    torch.testing.assert_close(step.sums["loss"], by_hand.detach())


def test_differences_are_within_a_recording():
    values = Ragged.of([torch.tensor([[1.0], [4.0]]), torch.tensor([[10.0], [9.0]])])
    wide = with_differences(values, True)
    assert wide.values.tolist() == [[1, 0], [4, 3], [10, 0], [9, -1]]
    assert with_differences(values, False) is values


def test_noise_is_for_training_alone(folder):
    task = LabelFramesTask(frames_config(folder, "frames.noise=1.0"), seed=0)
    network, batch = task.build_model(), next(task.train_batches(0, 0))
    network.eval()
    quiet = [float(task.loss(network, batch).sums["loss"]) for _ in range(2)]
    network.train()
    noisy = [float(task.loss(network, batch).sums["loss"]) for _ in range(2)]
    assert quiet[0] == quiet[1]
    assert len({*noisy, quiet[0]}) == 3


@pytest.mark.slow
def test_the_run_learns_what_a_frame_alone_does_not_say(run):
    result = run.result
    assert result["monitor"] == "macro_f1"
    baseline = result["baseline"]["logistic_regression"]["macro_f1"]
    assert result["test"]["macro_f1"] > max(0.9, baseline + 0.1)
    assert result["test"]["segment_f1_50"] > 0.7
    assert result["data"]["frames"] == {"train": 600, "validation": 300, "test": 300}
    assert result["data"]["unlabelled"]["test"] > 0
    assert (run.path / "timelines.png").stat().st_size > 1000
    report = json.loads((run.path / "evaluation.json").read_text())
    assert set(report["per_recording"]) == set(report["recordings"]["test"])


def test_labels_of_a_recording_in_numbers(run, model, folder):
    table = np.genfromtxt(folder / "r0.csv", delimiter=",", skip_header=1, usecols=(0, 1))
    labels = model.label(table)
    assert len(labels) == 150
    assert carousel.load(run.path).label(table) == labels
    np.testing.assert_allclose(model.label_proba(table).sum(1), 1, atol=1e-5)


def test_the_command_answers_with_segments_or_json(model, folder, tmp_path):
    (table,) = respond(model, Request(folder / "r0.csv"))
    assert sum(int(row[3]) for row in table.rows) == 150
    (answer,) = respond(model, Request(folder / "r0.csv", as_json=True))
    assert isinstance(answer, Json)
    assert len(answer.content["labels"]) == 150
    assert [s["label"] for s in answer.content["segments"]] == [row[0] for row in table.rows]
    (tmp_path / "x.csv").write_text("pulse,noise\n1,0\n,0\n")
    notice, _ = respond(model, Request(tmp_path / "x.csv"))
    assert notice == Notice(filled_in_words(1, "frame"))


def test_what_is_no_recording_is_refused(model):
    with pytest.raises(DataError, match=r"shape \(frames, 2\), as in training; .* \(5, 3\)"):
        model.label(np.zeros((5, 3)))
    with pytest.raises(DataError, match="NaN or infinity"):
        model.label(np.full((5, 2), np.nan))
    with pytest.raises(ConfigError, match="name the recording"):
        list(respond(model, Request()))
    with pytest.raises(DataError, match="there is no file"):
        list(respond(model, Request(Path("nowhere.csv"))))


def test_a_part_without_labels_cannot_be_judged(folder):
    task = LabelFramesTask(frames_config(folder), seed=0)
    part = task.data.validation
    part.labels.fill_(-1)
    with pytest.raises(DataError, match="no frame of this part has a label"):
        judge(part, torch.zeros(len(part.labels), 3), task.data.classes)


@pytest.mark.parametrize(
    "setting",
    ["data.view=pixels", "text.level=character", "model.tied=true", "model.adaptive_softmax=9"],
)
def test_settings_without_effect_are_refused(folder, setting):
    with pytest.raises(ConfigError, match="has no effect in the task 'label_frames'"):
        LabelFramesTask(frames_config(folder, setting), seed=0)


# ---- films


@pytest.fixture(scope="module")
def film_run(tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "run"
    return train(film_config(), run_dir=path, threads=1, quiet=True)


@pytest.mark.slow
def test_films_in_small_form_train_and_are_judged_like_other_recordings(film_run):
    result = film_run.result
    assert result["data"]["frames"]["test"] > 100
    assert set(result["baseline"]) == {"most_frequent", "logistic_regression"}
    assert 0 < result["test"]["macro_f1"] <= 1
    assert (film_run.path / "timelines.png").stat().st_size > 1000


def test_padding_and_company_never_change_a_label_of_a_film():
    torch.manual_seed(3)
    network = build_model(256, 3, film_config())
    lengths = [1, 9, 4]
    together = Ragged.of([torch.randn(length, 256) for length in lengths])
    logits = torch.split(logits_of(network, together), lengths)
    for number, row in enumerate(logits):
        alone = logits_of(network, together.take(torch.tensor([number])))
        torch.testing.assert_close(row, alone, rtol=1e-4, atol=1e-5)


def test_what_stands_in_the_padding_of_a_film_does_not_matter():
    torch.manual_seed(3)
    network = build_model(256, 3, film_config()).eval()
    x, lengths = torch.randn(2, 6, 256), torch.tensor([6, 2])
    noisy = x.clone()
    noisy[1, 2:] = torch.inf
    torch.testing.assert_close(network(noisy, lengths)[1, :2], network(x, lengths)[1, :2])


def test_a_label_depends_on_what_was_shown_before():
    torch.manual_seed(3)
    network = build_model(256, 3, film_config()).eval()
    x, lengths = torch.randn(1, 6, 256), torch.tensor([6])
    other = x.clone()
    other[:, 0] = torch.randn(256)
    assert (network(other, lengths)[:, -1] - network(x, lengths)[:, -1]).abs().max() > 1e-6


def test_a_film_of_ones_own_is_a_gif_or_an_array(film_run, tmp_path):
    model = film_run.load()
    film = np.random.default_rng(0).integers(0, 256, (5, 16, 16), dtype=np.uint8)
    np.save(tmp_path / "film.npy", film)
    assert len(model.label(film)) == 5
    (answer,) = respond(model, Request(tmp_path / "film.npy", as_json=True))
    assert answer.content["labels"] == model.label(film)
    pictures = [Image.fromarray(frame) for frame in film]
    pictures[0].save(tmp_path / "film.gif", save_all=True, append_images=pictures[1:])
    (answer,) = respond(model, Request(tmp_path / "film.gif", as_json=True))
    assert len(answer.content["labels"]) == 5
    np.save(tmp_path / "big.npy", film.repeat(2, 1).repeat(2, 2))
    (answer,) = respond(model, Request(tmp_path / "big.npy", as_json=True))
    assert answer.content["labels"] == model.label(film)


def test_what_is_no_film_is_refused(film_run, tmp_path):
    model = film_run.load()
    (tmp_path / "x.gif").write_bytes(b"GIF89a, and then nothing")
    with pytest.raises(DataError, match="no film that can be read"):
        list(respond(model, Request(tmp_path / "x.gif")))
    np.save(tmp_path / "x.npy", np.zeros((3, 4)))
    with pytest.raises(DataError, match=r"array \(frames, rows, columns\) of uint8, got 3x4"):
        list(respond(model, Request(tmp_path / "x.npy")))
    with pytest.raises(DataError, match="there is no file"):
        list(respond(model, Request(tmp_path / "y.npy")))


@pytest.mark.parametrize("setting", ["frames.differences=true", "regress.cap=3"])
def test_settings_without_effect_on_films_are_refused(setting):
    with pytest.raises(ConfigError, match=r"has no effect (in the task|with data)"):
        LabelFramesTask(film_config(setting), seed=0)
