"""Published sets as somebody's own tables: `python benchmarks/own_tables.py FOLDER`.

Each set in `$CAROUSEL_DATA` becomes one plain table, a CSV or a Parquet file, as `carousel init`
gets them from people: the names of columns are odd, and none says what it is for.
"""

from __future__ import annotations

import gzip
import lzma
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl

HOME = Path(os.environ.get("CAROUSEL_DATA", "."))


def _text(name: str) -> str:
    unpack = lzma.decompress if name.endswith(".xz") else gzip.decompress
    return unpack((HOME / name).read_bytes()).decode()


def vowels() -> pl.DataFrame:
    """Steps of utterances; the speaker is to be found."""
    rows, number = [], 0
    for part in ("TRAIN", "TEST"):
        text = _text(f"japanese-vowels/JapaneseVowels_{part}.ts.gz")
        for line in text.split("@data")[1].strip().split("\n"):
            *series, label = line.split(":")
            values = [[float(v) for v in one.split(",")] for one in series]
            for t, step in enumerate(zip(*values, strict=True)):
                rows.append([f"u{number:03}", t, *step, label])
            number += 1
    names = ["aufnahme", "k", *(f"lpc_{i}" for i in range(12)), "wer"]
    return pl.DataFrame(rows, schema=names, orient="row")


def engines() -> pl.DataFrame:
    """Cycles of engines; the cycles that are left are to be found."""
    names = ["aggregate", "tick", "o1", "o2", "o3", *(f"s{i:02}" for i in range(1, 22))]
    lines = (HOME / "c-mapss/train_FD001.txt").read_text().split("\n")
    rows = [[float(v) for v in line.split()] for line in lines if line.strip()]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    frame = frame.with_columns(pl.col("aggregate", "tick").cast(pl.Int64))
    left = (pl.col("tick").max().over("aggregate") - pl.col("tick")).alias("remaining")
    return frame.with_columns(left)


def rooms() -> pl.DataFrame:
    """Minutes of a room; whether somebody is in it."""
    parts = []
    for name in ("datatest", "datatraining", "datatest2"):
        text = _text(f"occupancy/{name}.txt.gz").replace('"', "")
        head, *lines = text.strip().split("\n")
        rows = [line.split(",")[-7:] for line in lines]
        parts.append(pl.DataFrame(rows, schema=head.split(",")[1:], orient="row"))
    names = dict(zip(parts[0].columns, ("stamp", "a", "b", "c", "d", "e", "someone"), strict=True))
    return pl.concat(parts).rename(names)


def air() -> pl.DataFrame:
    """Hours of the air over a city."""
    content = next((HOME / "beijing-pm25").glob("*.gz")).read_bytes()
    frame = pl.read_csv(gzip.decompress(content), infer_schema=False)
    stamp = pl.concat_str(
        pl.col("year"),
        pl.lit("-"),
        pl.col("month").str.zfill(2),
        pl.lit("-"),
        pl.col("day").str.zfill(2),
        pl.lit(" "),
        pl.col("hour").str.zfill(2),
        pl.lit(":00"),
    ).alias("wann")
    kept = ["pm2.5", "DEWP", "TEMP", "PRES", "cbwd", "Iws", "Is", "Ir"]
    return frame.select(stamp, *kept).rename({"pm2.5": "dust", "cbwd": "wind"})


def films() -> pl.DataFrame:
    """Comments on films; whether they are kind."""
    rows = []
    for part in ("train", "test"):
        text = _text(f"nsmc/ratings_{part}.txt.xz")
        lines = text.rstrip("\n").split("\n")[1:]
        rows += [line.split("\t") for line in lines]
    return pl.DataFrame(rows, schema=["nr", "said", "mood"], orient="row")


def chunks() -> pl.DataFrame:
    """Words of sentences with their chunks."""
    rows = []
    with zipfile.ZipFile(HOME / "conll2000/conll2000.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(("train.txt", "test.txt"))]
        blocks = "\n".join(archive.read(name).decode() for name in names).strip().split("\n\n")
    for number, block in enumerate(blocks):
        for line in block.strip().split("\n"):
            word, _, tag = line.split()
            rows.append([number, word, tag])
    return pl.DataFrame(rows, schema=["s", "w", "piece"], orient="row")


def reviews() -> pl.DataFrame:
    """Sentences on films, half of them kind."""
    rows = []
    for mood in ("pos", "neg"):
        text = (HOME / f"mr-polarity/rt-polarity.{mood}").read_text(encoding="latin-1")
        rows += [[mood, line.strip()] for line in text.split("\n") if line.strip()]
    return pl.DataFrame(rows, schema=["kind", "words"], orient="row")


TABLES: dict[str, Callable[[], pl.DataFrame]] = {
    "vowels.csv": vowels,
    "engines.parquet": engines,
    "rooms.csv": rooms,
    "air.csv": air,
    "films.parquet": films,
    "chunks.csv": chunks,
    "reviews.csv": reviews,
}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in TABLES.items():
        frame = make()
        if name.endswith(".csv"):
            frame.write_csv(folder / name)
        else:
            frame.write_parquet(folder / name)
        print(f"{folder / name}: {frame.height:,} rows of {', '.join(frame.columns)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
