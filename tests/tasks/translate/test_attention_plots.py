"""Pictures of attention: drawn whatever the characters, and honest about those without a glyph."""

import numpy as np
import pytest
from PIL import Image

from carousel.tasks.shared.fonts import fonts_for
from carousel.tasks.translate.plots import AttentionPanel, draw_attention


@pytest.mark.parametrize("count", [1, 2, 3])
def test_panels_are_drawn_without_a_warning(tmp_path, count):
    panels = [
        AttentionPanel(["ein", "$", "Hund_1"], ["a", "dog", "%", "END"], np.eye(4, 3).tolist())
    ] * count
    assert draw_attention(panels, tmp_path / "x.png") == ""
    with Image.open(tmp_path / "x.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 1


def test_characters_without_a_glyph_are_returned_and_drawn_as_boxes(tmp_path):
    nowhere = "\U000f1234"  # private use: no font has it
    panel = AttentionPanel(["a", nowhere], ["b"], [[0.5, 0.5]])
    assert draw_attention([panel], tmp_path / "x.png") == nowhere
    assert fonts_for("añß") == (["DejaVu Sans"], "")
