"""Time stamps: every kind is read as what it is and said, or refused."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from carousel.data.stamps import is_stamp, read_clock, read_stamps
from carousel.data.steps import step_name, step_of
from carousel.errors import DataError

HOURS = [datetime(2024, 1, 31, 23) + timedelta(hours=h) for h in range(3)]
DAYS = [datetime(2024, 1, 30) + timedelta(days=d) for d in range(3)]


def read(cells):
    return read_stamps(cells, range(2, 2 + len(cells)), "x.csv")


@pytest.mark.parametrize(
    ("pattern", "times", "says"),
    [
        ("%Y-%m-%dT%H:%M", HOURS, ""),
        ("%Y-%m-%d %H:%M:%S", HOURS, ""),
        ("%Y-%m-%dT%HZ", HOURS, ""),
        ("%Y-%m-%d", DAYS, ""),
        ("%Y%m%d", DAYS, "yyyymmdd (2024-01-30)"),
        ("%Y%m%d%H", HOURS, "yyyymmddhh (2024-01-31T23)"),
        ("%Y%m%d%H%M", HOURS, "yyyymmddhhmm"),
        ("%Y%m%d%H%M%S", HOURS, "yyyymmddhhmmss"),
        ("%d.%m.%Y", DAYS, "day, month, year"),
        ("%d.%m.%Y %H:%M", HOURS, "day, month, year"),
        ("%d/%m/%Y", DAYS, "day, month, year"),
        ("%m/%d/%Y", DAYS, "month, day, year"),
        ("%Y/%m/%d", DAYS, ""),
        ("%Y.%m.%d %H:%M:%S", HOURS, ""),
    ],
)
def test_dates_are_read_as_they_were_written_and_guesses_are_said(pattern, times, says):
    found = read([time.strftime(pattern) for time in times])
    assert found.stamps.astype("datetime64[s]").tolist() == times
    assert (says in found.notes[0]) if says else found.notes == ()


@pytest.mark.parametrize(
    ("factor", "says"), [(1, "seconds"), (10**3, "milli"), (10**6, "micro"), (10**9, "nano")]
)
def test_clocks_that_count_from_1970_are_recognised_and_said(factor, says):
    counts = [int(time.replace(tzinfo=UTC).timestamp()) * factor for time in HOURS]
    found = read([str(count) for count in counts])
    assert found.stamps.astype("datetime64[s]").tolist() == HOURS
    assert says in found.notes[0]


def test_fractions_of_seconds_since_1970_are_kept():
    found = read(["1700000000.25", "1700000000.5"])
    assert np.diff(found.stamps) == np.timedelta64(250, "ms")


def test_months_and_years_in_numbers_are_no_years_of_the_far_future():
    cells = [f"{2000 + i // 12}{i % 12 + 1:02}" for i in range(240)]
    found = read(cells)
    assert [str(stamp).replace("-", "") for stamp in found.stamps] == cells
    assert "yyyymm (2000-01)" in found.notes[0]
    assert "read as years" in read(["1749", "1750"]).notes[0]


def test_offsets_are_moved_to_utc_and_said():
    found = read(["2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00", "2024-03-31T04:00+0200"])
    wanted = ["2024-03-31T00:00", "2024-03-31T01:00", "2024-03-31T02:00"]
    assert found.stamps.tolist() == np.array(wanted, "datetime64[m]").tolist()
    assert found.notes == ("time stamps with an offset (+01:00, +0200, +02:00) are moved to UTC",)
    assert str(read(["2024-01-01T00-05:30", "2024-01-01T01-05:30"]).stamps[0]).endswith("05:30")


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["0", "1", "2"], "line 2: .* numbers from 0 to 2 may mean anything"),
        (["0001", "0002"], "'0001' is no year from 1000 to 2999"),
        (["45000", "45001"], "may mean anything"),
        (["200013", "200014"], "may mean anything"),
        (["20240231", "20240301"], "'20240231' is no date"),
        (["2024-02-01", "2024-02-30"], "line 3, .*'2024-02-30' is no date or time that there is"),
        (["01/02/2024", "01/03/2024"], "whether '01/02/2024' begins with the day or the month"),
        (["13/14/2024", "14/13/2024"], "begins with the day or the month"),
        (
            ["2024-01-01", ""],
            "line 3, .*an empty cell is no time stamp of the kind of '2024",
        ),
        (["2024-01-01", "01.02.2024"], "'01.02.2024' is no time stamp of the kind of"),
        (["2024-01-01T00+01:00", "2024-01-01T01"], "either every time stamp has an offset or none"),
        (["2024-01-01T00", "2024-01-01T01+01:00"], "either every time stamp has an offset or none"),
        (
            ["now", "today"],
            "line 2: the first column must hold time stamps such .*; it is 'now'",
        ),
        (["NaT", "NaT"], "it is 'NaT'"),
    ],
)
def test_what_cannot_be_told_is_refused_with_its_row(cells, says):
    with pytest.raises(DataError, match=says):
        read(cells)


def test_a_first_row_of_data_is_told_from_names():
    assert all(map(is_stamp, ("2024-01-01", "1700000000", "01.02.2024", "2024Q1")))
    assert not any(map(is_stamp, ("t", "date", "", "time 1")))


def test_steps_have_names():
    def name(cells, unit):
        return step_name(step_of(np.array(cells, f"datetime64[{unit}]")))

    assert name(["2024-01-01T00:00", "2024-01-01T00:15"], "m") == "15 minutes"
    assert name(["2024-01-01T00", "2024-01-01T01"], "s") == "1 hour"
    assert name(["2024-01-01", "2024-01-08"], "D") == "7 days"
    assert name(["2024-01", "2024-04"], "M") == "3 months"
    assert name(["2024", "2025"], "Y") == "1 year"
    assert name(["2024-01-01T00:00:00.000", "2024-01-01T00:00:00.500"], "ms") == "0.5 seconds"


@pytest.mark.parametrize("scale", [1, 1000, 10**6, 10**9])
@pytest.mark.parametrize("first", [1_700_000_000, 1_900_000_000, 2_024_013_112, 123_456_789])
def test_counts_that_are_read_at_once_are_those_that_are_read_one_by_one(first, scale):
    counts = (first + np.array([0, 60, 3600])) * scale
    quick = read_clock(counts)
    slow = read_stamps([str(count) for count in counts], [2, 3, 4], "t.csv")
    assert (quick is None) == str(first).startswith(("19", "20"))
    if quick is not None:
        assert quick.stamps.dtype == slow.stamps.dtype
        assert (quick.stamps == slow.stamps).all()
        assert quick.notes == slow.notes
