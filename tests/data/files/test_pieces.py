"""A file in pieces is the file: nothing is cut where it must not be, nothing lost."""

import gzip

import pytest

from carousel.data.files.pieces import pieces
from carousel.errors import DataError

LINES = "".join(f"sentence {i} of many\n" for i in range(200))
ROWS = "text,n\n" + "".join(f'"line one\nof {i}, ""quoted""",{i}\n' for i in range(100))
BLOCKS = "".join(f"word{i} O\nnext{i} B\n\n" for i in range(100))


def texts(path, *more):
    return [piece.text for piece in pieces(path, *more)]


@pytest.mark.parametrize(("text", "ends"), [(LINES, "line"), (ROWS, "row"), (BLOCKS, "block")])
@pytest.mark.parametrize("size", [1, 37, 1 << 20])
def test_pieces_are_the_file_and_know_their_lines(tmp_path, text, ends, size):
    path = tmp_path / "file"
    path.write_text(text)
    found = [*pieces(path, ends, size)]
    assert "".join(piece.text for piece in found) == text
    before = ""
    for piece in found:
        assert piece.line == before.count("\n") + 1
        before += piece.text
    assert found[-1].done == 1
    assert len(found) > 1 or size > len(text)


@pytest.mark.parametrize("size", [1, 50, 400])
def test_no_piece_ends_inside_quotation_marks(tmp_path, size):
    path = tmp_path / "file.csv"
    path.write_text(ROWS)
    assert all(text.count('"') % 2 == 0 for text in texts(path, "row", size))


@pytest.mark.parametrize("size", [40, 400])
def test_no_piece_ends_inside_a_block(tmp_path, size):
    path = tmp_path / "file"
    path.write_text(BLOCKS)
    assert all(text.endswith("\n\n") for text in texts(path, "block", size))


def test_text_without_a_place_to_end_is_one_piece(tmp_path):
    path = tmp_path / "file"
    path.write_text("no line break at all " * 50)
    assert len(texts(path, "line", 64)) == 1


def test_packed_files_and_other_line_breaks_are_read(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfone\r\ntwo\r\n\r\n\r\n"))
    assert "".join(texts(path, "line", 5)) == "one\ntwo\n\n\n"


def test_what_is_no_text_far_into_a_file_is_told_with_its_place(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"plain\n" * 100 + b"caf\xe9\n")
    with pytest.raises(DataError, match="is not UTF-8"):
        texts(path, "line", 60)
