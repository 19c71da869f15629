"""Models with a decoder that attends, as an encoder's file and one of a single step."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from small_pairs import pair_config, some_pairs, write_pairs
from small_scenes import images_config, write_images

from carousel import tasks
from carousel.errors import ConfigError
from carousel.export.decoders.files import TwoFiles
from carousel.export.decoders.pair import pair_of
from carousel.export.exporting import export
from carousel.export.formats import Asked

pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def drawn(config):
    """A model whose weights differ so much that its sentences do."""
    task = tasks.find(config.task)(config, 0)
    trained = task.finish(task.build_model())
    torch.manual_seed(1)
    for weight in trained.model.parameters():
        torch.nn.init.normal_(weight, 0, 0.3)
    return trained


TRANSLATORS = [
    (),
    ("decoder.attention=dot", "model.bidirectional=false", "model.cell=lstm", "model.num_layers=2"),
    ("decoder.attention=additive", "model.tied=true", "model.pooling=attention"),
    ("model.cell=slstm", "model.bidirectional=false", "text.level=word", "translate.joint=false"),
    ("model.cell=lmu", "model.bidirectional=false", "model.pooling=max", "text.level=character"),
]


@pytest.mark.parametrize("more", TRANSLATORS)
def test_a_search_with_the_files_finds_what_predict_does(more, tmp_path):
    trained = drawn(pair_config(write_pairs(tmp_path, 60), "model.hidden_size=12", *more))
    done = export(trained, tmp_path / "m.onnx")
    assert [path.name for path in done.files] == ["m.onnx", "m_step.onnx", "m.onnx.json"]
    assert 0 < done.comparison.difference <= 1e-5
    card = json.loads((tmp_path / "m.onnx.json").read_text())
    texts = [source for source, _ in some_pairs(4, seed=5)]
    for text, answer in zip(texts, trained.predict(texts, beam=1), strict=True):
        tokens = trained.sources.encode([text]).values[None].numpy()
        longest = int(tokens.size * card["longest"]["times_tokens"]) + card["longest"]["and"]
        given = {"tokens": tokens, "lengths": np.array([tokens.size])}
        assert written(tmp_path, card, given, longest) == list(answer.alternatives[0].tokens)


def test_a_search_with_the_files_captions_images(tmp_path):
    trained = drawn(images_config(write_images(tmp_path, 12)))
    export(trained, tmp_path / "m.onnx")
    card = json.loads((tmp_path / "m.onnx.json").read_text())
    pixels = np.random.default_rng(3).integers(0, 256, (3, 3, 16, 16), np.uint8)
    for row, answer in enumerate(trained.predict(pixels, beam=1)):
        given = {"pixels": pixels[row : row + 1]}
        said = written(tmp_path, card, given, card["longest"]["tokens"])
        assert said == list(answer.alternatives[0].tokens)
        assert [card["vocabulary"][n] for n in said] == [trained.tokens.name(n) for n in said]


def written(folder, card, given, longest):
    """The likeliest token of each step until the end."""
    encoder, step = (runtime.InferenceSession(folder / name) for name in card["files"])
    names = [one["name"] for one in card["outputs"]]
    fed = given | dict(zip(names, encoder.run(names, given), strict=True))
    wanted = [one["name"] for one in card["step"]["inputs"]]
    outputs = [one["name"] for one in card["step"]["outputs"]]
    token, said = card["start"], []
    while len(said) + 1 < longest:
        fed["token"] = np.array([token])
        found = step.run(outputs, {name: fed[name] for name in wanted})
        chances, _, *states = found
        chances[0, card["never"]] = -np.inf
        if (token := int(chances[0].argmax())) == card["end"]:
            break
        said.append(token)
        fed |= {
            name.replace("_out", "_in"): state
            for name, state in zip(outputs[2:], states, strict=True)
        }
    return said


@pytest.mark.parametrize("make", ["pairs", "images"])
def test_the_example_in_the_card_of_a_decoder_runs_without_carousel(make, tmp_path):
    config = (
        pair_config(write_pairs(tmp_path, 60), "model.cell=lstm")
        if make == "pairs"
        else images_config(write_images(tmp_path, 12))
    )
    export(drawn(config), tmp_path / "m.onnx")
    card = json.loads((tmp_path / "m.onnx.json").read_text())
    blocked = "import sys\nsys.modules['carousel'] = sys.modules['torch'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", blocked + "\n".join(card["example"])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert all(0 < token < card["end"] for token in json.loads(done.stdout))
    assert len(card["example"]) <= 18


@pytest.mark.parametrize("part", ["bridge", "combine", "readout"])
def test_files_that_compute_something_else_are_told_from_the_model(part, tmp_path):
    pair = pair_of(drawn(pair_config(write_pairs(tmp_path, 60))))
    layer = getattr(pair.network, part)
    wrong = dataclasses.replace(layer, weight=layer.weight * np.float32(1.01))
    changed = dataclasses.replace(pair.network, **{part: wrong})
    files = TwoFiles(dataclasses.replace(pair, network=changed), Asked("m"), ".onnx")
    files.write(tmp_path)
    found = files.compare(tmp_path)
    assert found.difference > found.tolerance


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("m.c", {}, "attends to a memory .* a .c file does not hold: export it as .onnx"),
        ("m.pt2", {}, "attends to a memory .* a .pt2 file does not hold"),
        ("m.onnx", {"stream": True}, "leave stream out"),
        ("m.onnx", {"int8": True}, "int8 is not written to ONNX"),
    ],
)
def test_what_a_decoder_cannot_be_is_refused_in_a_line(name, more, said, tmp_path):
    trained = drawn(pair_config(write_pairs(tmp_path, 60)))
    with pytest.raises(ConfigError, match=said) as refused:
        export(trained, tmp_path / name, **more)
    assert "\n" not in str(refused.value)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("m")]


def test_the_second_file_is_not_written_over(tmp_path):
    trained = drawn(pair_config(write_pairs(tmp_path, 60)))
    (tmp_path / "m_step.onnx").write_text("mine")
    with pytest.raises(ConfigError, match=r"m_step\.onnx is there already"):
        export(trained, tmp_path / "m.onnx")
    assert (tmp_path / "m_step.onnx").read_text() == "mine"
    assert not (tmp_path / "m.onnx").exists()
