import base64
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import carousel
from carousel.coach.inspection import inspect
from carousel.errors import ConfigError

STEPS = ("a", "<script>alert(1)</script>", "@DATA@", "$x_1$", "영화")


def look_into(layer, folder, steps=STEPS, **more):
    x = torch.linspace(-1, 1, 10).view(5, 1, 2)
    return inspect(
        layer,
        lambda: layer(x)[0].sum(),
        folder,
        title="<b>@LEAD@</b> & $a^$",
        measured="the sum </script>",
        steps=steps,
        **more,
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    layer = carousel.LSTM(2, 4, 2, bidirectional=True)
    return layer, look_into(layer, folder, image=torch.arange(10).view(5, 2).byte())


@pytest.mark.slow
def test_texts_from_data_are_never_markup(page):
    text = page[1].files[0].read_text(encoding="utf-8")
    assert "<b>@LEAD@" not in text
    assert "&lt;b&gt;@LEAD@&lt;/b&gt; &amp; $a^$" in text
    assert text.count("<script") == 2  # the data and the code
    assert text.count("</script") == 2
    assert "alert(1)" in text
    assert not re.search(r"https?://|src=|href=|@import", text)


def test_the_page_holds_the_numbers_that_were_traced(page):
    layer, found = page
    text = found.files[0].read_text(encoding="utf-8")
    content = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])
    assert content["steps"] == list(STEPS)
    x = torch.linspace(-1, 1, 10).view(5, 1, 2)
    y, _ = layer(x)
    assert len(content["layers"]) == 4
    top = content["layers"][2]["maps"][-1]  # layer 1, forward: its hidden state
    levels = np.frombuffer(base64.b64decode(top["data"]), np.uint8).reshape(4, 5)
    values = top["low"] + (top["high"] - top["low"]) * levels / 255
    expected = y[:, 0, :4].detach().numpy().T[top["units"]]
    step = (top["high"] - top["low"]) / 255
    inside = np.abs(expected) <= top["high"]
    np.testing.assert_allclose(values[inside], expected[inside], atol=step)


def test_a_picture_for_each_layer_and_direction_and_a_note_on_missing_glyphs(page):
    found = page[1]
    assert [path.name for path in found.files] == [
        "inside.html",
        "inside.json",
        "model-layer0.png",
        "model-layer0-backward.png",
        "model-layer1.png",
        "model-layer1-backward.png",
    ]
    for path in found.files[2:]:
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 10
    assert any("lacks some of the characters" in note for note in found.notes)


def test_one_level_can_be_chosen_and_must_be_there(tmp_path):
    layer = nn.GRU(2, 3, 2)
    found = look_into(layer, tmp_path / "one", level=1)
    assert [row["layer"] for row in found.layers] == [1]
    with pytest.raises(ConfigError, match="layer must lie between 0 and 1, got 2"):
        look_into(layer, tmp_path / "none", level=2)


def test_a_cell_without_gates_is_pictured_and_says_so(tmp_path):
    found = look_into(nn.RNN(2, 3), tmp_path, steps=())
    (row,) = found.layers
    assert row["half_life"] is None
    assert row["let_in_most"] is None
    assert row["influence_most"][0]["value"] > 0


@pytest.mark.parametrize(
    "kind", ["MinGRU", "MinLSTM", "IndRNN", "SLSTM", "SRU", "RGLRU", "QRNN", "LRU", "S6", "LMU"]
)
def test_cells_that_torch_lacks_are_pictured(kind, tmp_path):
    (row,) = look_into(getattr(carousel, kind)(2, 3), tmp_path).layers
    assert (row["half_life"] is None) == (kind in ("IndRNN", "LRU", "S6", "LMU"))


def test_a_layer_of_one_unit_and_a_projection_are_pictured(tmp_path):
    look_into(nn.LSTM(2, 1), tmp_path / "one")
    look_into(carousel.LSTM(2, 6, proj_size=2), tmp_path / "projected")
