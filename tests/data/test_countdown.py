"""Numbers that count down to the end of each sequence, and what init makes of them."""

import numpy as np
import polars as pl
import pytest

from carousel.data.countdown import cap_of_countdown
from carousel.data.proposal import propose
from carousel.data.table import of_frame

LENGTHS = (12, 15, 18, 21, 24, 27)


def engines(left=lambda length: np.arange(length)[::-1], lengths=LENGTHS):
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(len(lengths)), lengths)
    steps = np.concatenate([np.arange(n) for n in lengths])
    numbers = np.concatenate([left(n) for n in lengths]).astype(float)
    return pl.DataFrame({"nr": ids, "t": steps, "s": rng.normal(size=len(ids)), "left": numbers})


def cap_of(frame):
    numbers, codes = frame["left"].to_numpy(), frame["nr"].to_numpy()
    return cap_of_countdown(numbers, codes, np.lexsort((frame["t"].to_numpy(), codes)))


@pytest.mark.parametrize(("step", "end"), [(1, 0), (2.5, 0), (1, 1)])
def test_a_countdown_is_capped_where_the_shortest_sequence_begins(step, end):
    assert cap_of(engines(lambda n: end + step * np.arange(n)[::-1])) == end + step * 11


def test_one_sequence_that_is_far_shorter_than_the_others_sets_no_cap():
    assert cap_of(engines(lengths=(2, *LENGTHS))) == 11


def test_rows_need_not_be_in_order():
    frame = engines()
    assert cap_of(frame.sample(fraction=1.0, shuffle=True, seed=1)) == cap_of(frame) == 11


@pytest.mark.parametrize(
    "left",
    [
        lambda n: np.arange(n),  # counts up
        lambda n: np.sqrt(np.arange(n)[::-1]),  # falls, but not by steps of one size
        lambda n: np.arange(n)[::-1] + n,  # ends anywhere
        lambda n: np.where(np.arange(n) == 3, np.nan, np.arange(n)[::-1]),
    ],
)
def test_other_numbers_have_no_cap(left):
    assert cap_of(engines(left)) == 0


def test_sequences_of_one_length_have_nothing_to_cap():
    assert cap_of(engines(lengths=(9,) * 6)) == 0


def test_init_writes_the_cap_of_a_countdown_and_says_why(tmp_path):
    engines().write_parquet(tmp_path / "e.parquet")
    made = propose(tmp_path / "e.parquet", target="left")
    assert (made.guess.task, made.config.regress.cap) == ("regress", 11.0)
    assert "counts down to the end of each sequence" in made.guess.why
    assert "0: no cap" in made.toml().split("cap = 11.0")[1]


def test_init_writes_no_cap_for_other_numbers():
    frame = engines(lambda n: np.arange(n))
    found = propose("x.csv", target="left", table=of_frame(frame))
    assert "regress" not in found.sections
