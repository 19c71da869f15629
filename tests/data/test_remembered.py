"""What is read twice in one command is read once."""

import numpy as np
import pytest

from carousel.config import ColumnsConfig
from carousel.data import table as tables
from carousel.data.remembered import remembering
from carousel.data.sequences import sequences_of
from carousel.data.table import read_table


def write(path, rows):
    path.write_text("id,t,x\n" + "".join(f"{i},{t},{x}\n" for i, t, x in rows))
    return path


@pytest.fixture
def read(monkeypatch):
    found = []
    monkeypatch.setattr(tables, "frame_of", lambda *a, **k: (found.append(a), frame_of(*a, **k))[1])
    return found


frame_of = tables.frame_of
ROLES = ColumnsConfig(id="id", time="t")


def test_a_table_and_its_sequences_are_read_once_within_a_block_and_anew_behind_it(tmp_path, read):
    path = write(tmp_path / "a.csv", [("a", 1, 2), ("a", 2, 3)])
    with remembering():
        first = read_table(path)
        assert read_table(path) is first
        assert sequences_of(first, ROLES) is sequences_of(read_table(path), ROLES)
        assert sequences_of(first, ColumnsConfig(id="id")) is not sequences_of(first, ROLES)
        assert read_table(path, fewest=1) is not first
    assert read_table(path) is not read_table(path)
    assert len(read) == 4


def test_a_table_that_has_changed_is_read_again(tmp_path, read):
    path = tmp_path / "a.csv"
    with remembering():
        one = read_table(write(path, [("a", 1, 2)]))
        two = read_table(write(path, [("a", 1, 2), ("b", 1, 55)]))
    assert (len(one), len(two)) == (1, 2)


def test_gaps_are_found_in_the_sequence_that_has_them(tmp_path):
    rows = [("a", t, 0) for t in range(5)] + [("b", 0, 0)] + [("c", t, 0) for t in (3, 4, 7, 8)]
    rows += [("d", t, 0) for t in (50, 51, 52)] + [("e", t, 0) for t in (0, 2, 3, 4)]
    found = sequences_of(read_table(write(tmp_path / "a.csv", rows)), ROLES)
    assert found.gaps == 2
    assert found.filled == 3
    lengths = {one.name: (one.rows >= 0).tolist() for one in found.found}
    assert lengths["a"] == [True] * 5
    assert lengths["c"] == [True, True, False, False, True, True]
    assert lengths["e"] == [True, False, True, True, True]
    assert [one.start for one in found.found] == [0, 0, 3, 50, 0]
    assert np.array_equal(found.found[3].rows, [10, 11, 12])
