"""Confirmed cases of COVID-19 in 201 countries, of the TSER archive, and the death rate of each:
its own test part; of the rest a share `frames.validation` validates.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.whole_targets import WholeRecordings, WholeTargets

SOURCE = Source(
    "Daily cases of COVID-19 of 201 countries, 84 days, and the death rate of each",
    "CC BY 4.0, as the archive states",
    "Tan et al. 2021",
    "https://raw.githubusercontent.com/aeon-toolkit/aeon/main/aeon/datasets/data/Covid3Month/",
    {
        "Covid3Month_TRAIN.ts": "8a58e6186143714d47dfeb2a24e954ef1fb5e7a1d72344b6bb9bbce10ccdfd6f",
        "Covid3Month_TEST.ts": "5bf6d4ce5cce67735f0893673221c86f10effe284cf4555a162060329b388bea",
    },
)


def read(config: Config) -> WholeRecordings:
    """The parts."""
    from carousel.data.splits import split
    from carousel.data.whole_targets import WholeRecordings

    whole, held = _countries("TRAIN"), {"validation": config.frames.validation}
    index = split(len(whole), held, config.data.split_seed)
    train, validation = whole.take(index["train"]), whole.take(index["validation"])
    return WholeRecordings(
        train, validation, partial(_countries, "TEST"), ["death rate"], ["cases"]
    )


def _countries(part: str) -> WholeTargets:
    from carousel.data import sources
    from carousel.data.files.ts import read_ts_numbers

    file = f"Covid3Month_{part}.ts"
    return read_ts_numbers(sources.text("covid3month", file), file)


READERS = {"regress": {"covid3month": read}}
