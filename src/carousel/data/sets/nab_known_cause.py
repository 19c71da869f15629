"""Numenta Anomaly Benchmark, series with known causes: 7 of one variable, 19 labelled windows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.watched import WatchedSeries

_SERIES = {
    "ambient_temperature_system_failure": (
        "230b68ccca20f59d562afd5d24ad52939c9b784386bed0054018358bf9120581"
    ),
    "cpu_utilization_asg_misconfiguration": (
        "58ba65dc0737cfbac11b51514476d50c438d44011232144bb8d93f392df58f9f"
    ),
    "ec2_request_latency_system_failure": (
        "98378580aa80157e057c61d59d81daddccc6c65a2c0c800e3f01f603b8215c3f"
    ),
    "machine_temperature_system_failure": (
        "92bf5b87fc7f9bba8ca0b7ec63ccaac8cb4a1371a258e8c29a10ae9c018d82a4"
    ),
    "nyc_taxi": "d8fa6f7f0734bf5c8be12c52a94e20a82664c397d9dec4449156bd453d32856d",
    "rogue_agent_key_hold": "47b110baa8e3636574c1033dda1cce780873647fab58223d159d4fee6f180e86",
    "rogue_agent_key_updown": "9797cfef477c13306f7a33874ab4d6cf700f8f2c7e5825a2a5bc02004370909a",
}

SOURCE = Source(
    "Numenta Anomaly Benchmark, known causes: 7 series of one variable, labelled windows",
    "MIT (repository)",
    "Ahmad et al. 2017",
    "https://raw.githubusercontent.com/numenta/NAB/master/data/realKnownCause/",
    {f"{name}.csv": digest for name, digest in _SERIES.items()},
)

# Of labels/combined_windows.json of the same repository, which has one file for all its series.
_WINDOWS = {
    "ambient_temperature_system_failure": (
        ("2013-12-15T07:00", "2013-12-30T09:00"),
        ("2014-03-29T15:00", "2014-04-20T22:00"),
    ),
    "cpu_utilization_asg_misconfiguration": (("2014-07-10T12:29", "2014-07-15T17:19"),),
    "ec2_request_latency_system_failure": (
        ("2014-03-14T03:31", "2014-03-14T14:41"),
        ("2014-03-18T17:06", "2014-03-19T04:16"),
        ("2014-03-20T21:26", "2014-03-21T03:41"),
    ),
    "machine_temperature_system_failure": (
        ("2013-12-10T06:25", "2013-12-12T05:35"),
        ("2013-12-15T17:50", "2013-12-17T17:00"),
        ("2014-01-27T14:20", "2014-01-29T13:30"),
        ("2014-02-07T14:55", "2014-02-09T14:05"),
    ),
    "nyc_taxi": (
        ("2014-10-30T15:30", "2014-11-03T22:30"),
        ("2014-11-25T12:00", "2014-11-29T19:00"),
        ("2014-12-23T11:30", "2014-12-27T18:30"),
        ("2014-12-29T21:30", "2015-01-03T04:30"),
        ("2015-01-24T20:30", "2015-01-29T03:30"),
    ),
    "rogue_agent_key_hold": (
        ("2014-07-15T04:35", "2014-07-15T13:25"),
        ("2014-07-17T05:50", "2014-07-18T06:45"),
    ),
    "rogue_agent_key_updown": (
        ("2014-07-14T17:00", "2014-07-15T15:00"),
        ("2014-07-16T21:50", "2014-07-17T19:50"),
    ),
}
_TRAINING = 0.7  # of the benchmark's probationary period; the rest of it sets the threshold


def read(config: Config) -> WatchedSeries:
    """The series; training and validation part are the beginning in which the benchmark scores
    nothing."""
    from carousel.data.files.watched import labelled, read_watched
    from carousel.data.watched import WatchedSeries, probation

    found = []
    for name, windows in _WINDOWS.items():
        file = f"{name}.csv"
        one = labelled(
            read_watched(sources.text("nab-known-cause", file), file, name), windows, file
        )
        end = probation(len(one))
        found.append(replace(one, ends=(round(_TRAINING * end), end)))
    return WatchedSeries(tuple(found))


READERS = {"anomaly": {"nab-known-cause": read}}
