"""Notes of a run are kept in its folder, as they were typed, and nowhere else."""

import pytest

from carousel.board import notes
from carousel.board.notes import LONGEST_NOTE, LONGEST_TAG, MOST_TAGS, Notes
from carousel.errors import RunError
from carousel.run.layout import NOTES


def test_notes_come_back_as_they_were_typed(tmp_path):
    typed = Notes.of("<script>alert(1)</script>\n안녕\t", "<b>x</b>,  lr , ,lr,기준")
    assert typed.tags == ("<b>x</b>", "lr", "기준")
    notes.write(tmp_path, typed)
    assert notes.read(tmp_path) == typed
    assert [path.name for path in tmp_path.iterdir()] == [NOTES]


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"text": 1}', b"\xff", b" " * 400_000])
def test_a_damaged_file_counts_as_none(tmp_path, content):
    (tmp_path / NOTES).write_bytes(content)
    assert notes.read(tmp_path) == Notes()


def test_a_link_is_neither_read_nor_written_through(tmp_path):
    (tmp_path / "run").mkdir()
    secret = tmp_path / "secret"
    secret.write_text('{"text": "secret", "tags": []}')
    (tmp_path / "run" / NOTES).symlink_to(secret)
    assert notes.read(tmp_path / "run") == Notes()
    notes.write(tmp_path / "run", Notes("mine"))
    assert "secret" in secret.read_text()
    assert notes.read(tmp_path / "run") == Notes("mine")


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("x" * (LONGEST_NOTE + 1), ""),
        ("", "t" * (LONGEST_TAG + 1)),
        ("", ",".join(map(str, range(MOST_TAGS + 1)))),
    ],
)
def test_what_is_too_long_is_told(text, tags):
    with pytest.raises(RunError, match="shorten"):
        Notes.of(text, tags)


def test_a_folder_that_is_gone_is_told(tmp_path):
    with pytest.raises(RunError, match="cannot be written"):
        notes.write(tmp_path / "gone", Notes("text"))
