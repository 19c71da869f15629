"""Names in any letters are drawn, by a font that has them or as boxes that are told."""

import pytest

from carousel.tasks.shared import fonts
from carousel.tasks.shared.plots import draw_confusion, draw_timelines

NOWHERE = "\U000f1234"  # private use: no font has it
FILM = {"영화": {"labels": [0, 1], "guess": [0, 0]}}


@pytest.mark.parametrize("names", [["good", "bad"], ["긍정", "부정"], ["\U0001f600", "$1"]])
def test_names_of_classes_are_drawn_without_a_warning(names, tmp_path):
    draw_confusion([[3, 1], [0, 4]], names, tmp_path / "a.png")  # a warning is an error here
    draw_timelines(FILM, names, tmp_path / "b.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert (tmp_path / "b.png").stat().st_size > 1000


def test_letters_that_no_font_has_are_boxes_and_counted():
    with fonts.lettering([f"a{NOWHERE}b", "c"]) as missing:
        assert missing == NOWHERE
        assert fonts.shown(f"a{NOWHERE}b", missing) == "a□b"
