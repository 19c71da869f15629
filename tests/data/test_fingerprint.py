"""Fingerprints see contents and their order, and nothing else."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from carousel.data.fingerprint import fingerprint
from carousel.data.origin import Origin


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.tensor([1.5, torch.nan]), np.array([1.5, np.nan])),
        (torch.tensor([1, 2], dtype=torch.int32), torch.tensor([1, 2])),
        (np.array([0.0]), np.array([-0.0])),
        (np.float32([0.5, 3.0]), np.float64([0.5, 3.0])),
        (("a", "b"), ["a", "b"]),
        (np.zeros((4, 6))[:, ::2], np.zeros((4, 3))),
    ],
)
def test_what_says_the_same_has_the_same_fingerprint(one, other):
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["a", "b"], ["b", "a"]),
        (["a", "b"], ["ab", ""]),
        (["a"], "a"),
        ([["a"], ["b"]], [["a", "b"], []]),
        ([], [[]]),
        (np.array([1.0]), np.array([1.0 + 2e-16])),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.array([5_400_000.01]), np.array([5_400_000.02])),
        (np.array(["2024-01-01"], "datetime64[D]"), np.array(["2024-01-02"], "datetime64[D]")),
        ([1], [True]),
        (None, "None"),
        (np.arange(3_000_000), np.append(np.arange(2_999_999), 0)),
    ],
)
def test_what_says_something_else_has_another(one, other):
    assert fingerprint(one) != fingerprint(other)


def test_without_numbers_labels_and_lengths_count_and_measured_values_do_not():
    @dataclass
    class Part:
        values: torch.Tensor
        labels: torch.Tensor

    part = Part(torch.zeros(3, 2), torch.tensor([0, 1, 0]))
    noise = Part(torch.full((3, 2), 1e-7), torch.tensor([0, 1, 0]))
    assert fingerprint(part, numbers=False) == fingerprint(noise, numbers=False)
    assert fingerprint(part) != fingerprint(noise)
    for other in (Part(torch.zeros(4, 2), part.labels), Part(part.values, torch.tensor([0, 1, 1]))):
        assert fingerprint(part, numbers=False) != fingerprint(other, numbers=False)


TABLE = 'label,text\ngood,"a film,\nin two lines"\nbad,dull\n'


@pytest.mark.parametrize(
    ("later", "says"),
    [
        (TABLE, ""),
        (TABLE.replace("\n", "\r\n"), ""),
        (TABLE.removesuffix("\n"), ""),
        (TABLE + "\n\n", ""),
        ("\ufeff" + TABLE, ""),
        (TABLE + "bad,more\n", "1 row was appended (2 rows then, 3 now)"),
        (TABLE.removesuffix("\n") + "\nx,y\n\nz,w", "2 rows were appended (2 rows then, 4 now)"),
        (
            'label,text\nbad,dull\ngood,"a film,\nin two lines"\n',
            "the same 2 rows stand in another order",
        ),
        (TABLE.replace("dull", "lame"), "of its 2 rows some were changed"),
        (
            TABLE.replace("bad,dull\n", ""),
            "rows of it were changed, or came and went (2 rows then, 1 now)",
        ),
    ],
)
def test_what_became_of_a_table_is_said(tmp_path, later, says):
    file = tmp_path / "t.csv"
    file.write_text(TABLE)
    origin = Origin.restore(Origin.of(file).facts())
    file.write_bytes(later.encode())
    assert origin.changes(file) == says


def test_lines_of_a_text_are_lines_and_blank_ones_between_them_count(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("a X\nb Y\n\nc Z\n")
    origin = Origin.of(file)
    file.write_text("a X\nb Y\nc Z\n")
    assert origin.changes(file) == "the same 3 lines stand in another order"
    file.write_text("a X\nb Y\n\nc Z\n\nd W\n")
    assert origin.changes(file) == "1 line was appended (3 lines then, 4 now)"


def test_a_compressed_file_is_known_by_what_is_in_it(tmp_path):
    import gzip

    file = tmp_path / "t.tsv.gz"
    file.write_bytes(gzip.compress(b"a\tb\n", mtime=1))
    origin = Origin.of(file)
    file.write_bytes(gzip.compress(b"a\tb\n", 1, mtime=2))
    assert origin.changes(file) == ""
    file.write_bytes(gzip.compress(b"a\tb\nc\td\n"))
    assert origin.changes(file) == "1 line was appended (1 line then, 2 now)"


def test_what_became_of_a_folder_is_said_by_name(tmp_path):
    for name in ("a/1.csv", "a/2.csv", "b/1.csv", ".cache/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    origin = Origin.restore(Origin.of(tmp_path).facts())
    assert list(origin.files) == ["a/1.csv", "a/2.csv", "b/1.csv"]
    (tmp_path / ".cache/x").write_text("other")
    assert origin.changes(tmp_path) == origin.lost(tmp_path) == ""
    (tmp_path / "b/2.csv").write_text("new")
    (tmp_path / "a/2.csv").unlink()
    (tmp_path / "a/1.csv").write_text("other")
    said = "1 file gone (a/2.csv); 1 file changed (a/1.csv)"
    assert origin.changes(tmp_path) == f"1 file added (b/2.csv); {said}"
    assert origin.lost(tmp_path) == said
