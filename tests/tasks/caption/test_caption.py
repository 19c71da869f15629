"""Captions of images: what the network may depend on, what it learns, what it answers."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from small_scenes import images_config, scenes_config, write_images

import carousel
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.data.ragged import Ragged
from carousel.errors import ConfigError, DataError
from carousel.tasks.caption.network import Captioner, caption, looks, mean_loss
from carousel.tasks.caption.plots import LookPanel, draw_looks
from carousel.tasks.caption.task import CaptionTask, nearest
from carousel.tasks.shared.beam_search import Search
from carousel.tasks.shared.decoder import shifted
from carousel.tasks.shared.task import Json, Notice
from carousel.training import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    return train(images_config(folder), run_dir=path, threads=1, quiet=True)


@pytest.fixture(scope="module")
def model(run):
    return run.load()


def fresh(*more):
    torch.manual_seed(4)
    network = Captioner(11, scenes_config(*more)).eval()
    with torch.no_grad():
        network.places.normal_()
    return network


def images(count):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 1, 36, 36), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("attention", ["general", "additive"])
def test_padding_and_company_never_change_a_loss(attention):
    network, pictures = fresh(f"decoder.attention={attention}"), images(4)
    texts = Ragged.of([torch.arange(1, 1 + length) for length in (3, 9, 1, 5)])
    together = network.score(pictures, *shifted(*texts.pad(torch.arange(4)), 11)).loss
    alone = [
        network.score(pictures[i : i + 1], *shifted(*texts.pad(torch.tensor([i])), 11)).loss
        for i in range(4)
    ]
    torch.testing.assert_close(together, torch.stack(alone).sum(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("beam", [1, 3])
def test_company_never_changes_a_caption(beam):
    network, pictures = fresh(), images(5)
    search = Search(beam, 1.0, beam)
    together = caption(network, pictures, search, 7)
    for number, some in enumerate(together):
        (alone,) = caption(network, pictures[number : number + 1], search, 7)
        assert [h.tokens for h in some] == [h.tokens for h in alone]
        assert all(len(h.tokens) < 7 and 0 not in h.tokens for h in some)


def test_greedy_search_says_the_likeliest_token_each_time():
    network, pictures = fresh(), images(3)
    for number, (best,) in enumerate(caption(network, pictures, Search(1), 6)):
        memory = network.remember(pictures[number : number + 1])
        said = []
        while len(said) < 5:
            read = torch.tensor([[11, *said]])
            chances = network.decoder.log_probabilities(read, memory)[0, -1].clone()
            chances[0] = -torch.inf
            if int(chances.argmax()) == 11:
                break
            said.append(int(chances.argmax()))
        assert best.tokens == said


def test_attention_is_a_share_of_each_place_of_the_map():
    network, pictures = fresh(), images(1)
    weights = looks(network, pictures[0], [3, 1, 4])
    assert weights.shape == (4, 9, 9)
    torch.testing.assert_close(weights.sum((1, 2)), torch.ones(4))


def test_the_place_of_what_is_seen_matters():
    network = fresh()
    pictures = torch.zeros(2, 1, 36, 36, dtype=torch.uint8)
    pictures[0, :, 4:8, 4:8] = 255
    pictures[1, :, 24:28, 24:28] = 255  # the same, a whole number of places further
    read = torch.tensor([[11, 3], [11, 3]])
    first, second = network.decoder.log_probabilities(read, network.remember(pictures))
    assert (first - second).abs().max() > 1e-4


def test_the_loss_is_that_of_the_true_captions(folder):
    task = CaptionTask(images_config(folder), seed=0)
    network = task.build_model().eval()
    total = count = 0.0
    with torch.no_grad():
        for batch in task.train_batches(0, 0):
            step = task.loss(network, batch)
            total, count = total + float(step.sums["loss"]), count + step.count
    assert count == int(task._train.lengths.sum()) + len(task._train)
    assert total / count == pytest.approx(
        mean_loss(network, task.data.train, task.tokens), rel=1e-4
    )


def test_a_caption_goes_with_its_own_image(folder):
    task = CaptionTask(images_config(folder), seed=0)
    pairs = {
        (image.numpy().tobytes(), text)
        for image, some in zip(task.data.train.images, task.data.train.captions, strict=True)
        for text in some
    }
    seen = []
    for pictures, _, said in task.train_batches(3, 0):
        for picture, row in zip(pictures, said, strict=True):
            words = [n for n in row.tolist() if n not in (-1, len(task.tokens))]
            text = task.tokens.decode(words)
            seen.append((picture.numpy().tobytes(), text))
    assert len(seen) == len(pairs)
    assert set(seen) == pairs


@pytest.mark.slow
def test_the_run_learns_what_is_in_the_images(run):
    result = run.result
    assert result["test"]["exact_match"] == 1.0
    assert result["baseline"]["most_frequent"]["exact_match"] < 0.7
    assert result["test"]["bleu_1"] == pytest.approx(100)
    assert result["data"]["captions"] == {"train": 36, "validation": 12, "test": 12}
    assert (run.path / "attention.png").stat().st_size > 1000
    report = json.loads((run.path / "evaluation.json").read_text())
    assert len(report["captions"]) == 6


@pytest.mark.slow
def test_scenes_in_small_form_train_and_are_judged(tmp_path):
    done = train(scenes_config(), run_dir=tmp_path / "run", threads=1, quiet=True)
    assert set(done.result["baseline"]) == {"most_frequent", "nearest_image"}
    assert done.result["data"]["sizes"] == {"train": 24, "validation": 8, "test": 8}
    assert done.load().evaluate("validation")["perplexity"] > 1


def test_the_nearest_image_is_the_nearest():
    known, asked = images(9), images(14)[9:]
    gaps = (known.double()[None] - asked.double()[:, None]).square().flatten(2).sum(2)
    assert nearest(known, asked) == gaps.argmin(1).tolist()


def test_captions_of_files_and_of_pixels(run, model, folder):
    told = model.caption([folder / "i0.png", str(folder / "i1.png")])
    assert "red" in told[0]
    assert "green" in told[1]
    assert carousel.load(run.path).caption([folder / "i0.png"]) == told[:1]
    pixels = np.zeros((2, 3, 16, 16), np.uint8)
    assert len(model.caption(pixels)) == 2
    assert model.caption([]) == []


def test_the_command_answers_with_a_line_a_table_or_json(model, folder, tmp_path):
    (line,) = respond(model, Request(folder / "i2.png"))
    assert "blue" in line
    (table,) = respond(model, Request(folder))
    assert len(table.rows) == 30
    (table,) = respond(model, Request(folder / "i2.png", {"best": 2}))
    assert len(table.rows) == 2
    assert float(table.rows[0][0]) >= float(table.rows[1][0])
    (answer,) = respond(model, Request(folder / "i2.png", {"best": 2}, as_json=True))
    assert isinstance(answer, Json)
    assert answer.content[0]["caption"] == answer.content[0]["alternatives"][0]["text"]
    picture = tmp_path / "looks.png"
    _, notice = respond(model, Request(folder / "i2.png", {"attention": picture}))
    assert notice == Notice(f"attention drawn to {picture}")
    with Image.open(picture) as drawn:
        assert drawn.size[0] > 300


def test_what_is_no_image_is_refused(model, folder, tmp_path):
    with pytest.raises(ConfigError, match="name an image"):
        list(respond(model, Request()))
    with pytest.raises(DataError, match="there is no file"):
        list(respond(model, Request(tmp_path / "x.png")))
    with pytest.raises(DataError, match="has no image"):
        list(respond(model, Request(tmp_path)))
    with pytest.raises(ConfigError, match="best must be at most beam, got 3 and 2"):
        list(respond(model, Request(folder / "i0.png", {"beam": 2, "best": 3})))
    with pytest.raises(ConfigError, match="attention draws one image, there are 30"):
        list(respond(model, Request(folder, {"attention": tmp_path / "x.png"})))
    with pytest.raises(DataError, match=r"shape \(N, 3, 16, 16\), got \(1, 16, 16, 3\)"):
        model.caption(np.zeros((1, 16, 16, 3), np.uint8))
    with pytest.raises(DataError, match="must be uint8"):
        model.caption(np.zeros((1, 3, 16, 16)))


def test_the_picture_of_attention_is_bright_where_the_decoder_looked(tmp_path):
    weights = torch.zeros(1, 2, 2)
    weights[0, 0, 1] = 1.0
    grey = torch.full((3, 8, 8), 128, dtype=torch.uint8)
    draw_looks([LookPanel(grey, ["a $word$"], weights)], tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as drawn:
        pixels = np.asarray(drawn.convert("L")).astype(float)
    left, right = pixels[:, : pixels.shape[1] // 6], pixels[:, pixels.shape[1] // 6 :]
    middle = right.shape[0] // 2
    panel = right[:, : left.shape[1]]
    assert panel[middle - 20, -30] > panel[middle + 20, 30]


@pytest.mark.parametrize(
    "setting",
    [
        "data.view=pixels",
        "frames.window=9",
        "translate.target=de",
        "pictures.side=99",
        "model.adaptive_softmax=9",
    ],
)
def test_settings_without_effect_are_refused(setting):
    with pytest.raises(ConfigError, match=r"has no effect (in the task 'caption'|with data)"):
        CaptionTask(scenes_config(setting), seed=0)
