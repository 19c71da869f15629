"""Choice of the recipe that suits custom data, by the file's or folder's name and first lines."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from carousel.config.own import is_plain_table
from carousel.errors import command

#: What each recipe reads, in a few words.
READS = {
    "own-forecast": "a .csv of time stamps and columns of numbers",
    "own-forecast-many": "a table with an id, a time and a number a row",
    "own-anomaly": "a .csv of numbers or a folder; column label: 0 and 1",
    "own-classify-text": "a .tsv (label, sentence) or .csv with label and text",
    "own-label-words": "words and labels in columns, CoNLL, CoNLL-U",
    "own-translate": "a .tsv (sentence, translation), or two files",
    "own-generate": "a text, or a folder of <label>.txt files",
    "own-caption": "a folder of images with captions.csv",
    "own-classify-recordings": "a folder for each class, of .csv files or sounds",
    "own-classify": "a folder of pictures per class; .npz, .npy or IDX",
    "own-label-frames": "a folder of .csv files with a column label",
    "own-regress": "a folder of .csv with numbers in label or targets.csv",
}
_TABLES = {".csv", ".tsv"}
_SOUNDS = {".wav", ".flac", ".ogg", ".aiff", ".aif", ".mp3"}
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
_ARRAYS = {".npz", ".npy"}
_FILES = {
    ".npz": ("own-classify",),
    ".npy": ("own-classify",),
    ".csv": ("own-forecast", "own-classify-text"),
    ".tsv": ("own-classify-text", "own-translate"),
    ".txt": ("own-generate", "own-label-words"),
    ".conll": ("own-label-words",),
    ".conllu": ("own-label-words",),
    ".conllup": ("own-label-words",),
    ".conll2003": ("own-label-words",),
    ".iob": ("own-label-words",),
    ".bio": ("own-label-words",),
}


def is_data(path: Path) -> bool:
    """True if it looks like data where a recipe was asked for."""
    return path.exists() or _ending(path) in _FILES


def suited(path: Path) -> tuple[str, ...]:
    """The recipes that may fit, the likeliest first; none if nothing here reads such a thing."""
    if path.is_dir():
        return tuple(_of_folder(path))
    names = ("own-classify",) if _is_idx(path) else _FILES.get(_ending(path), ())
    if _ending(path) == ".csv" and {"label", "text"} <= _header(path):
        return names[::-1]
    return names


def how(path: Path) -> str:
    """A sentence that says how to train on it."""
    if is_plain_table(path):
        return f"{path} is data, not a recipe. {command('init', path)} writes one for it"
    names = suited(path)
    if not names:
        return (
            f"{path} is data, not a recipe, and of a kind that nothing here reads: "
            f"carousel recipes lists what is read"
        )
    first, *others = names
    line = command("train", first, "--set", f"data.path={path}")
    more = "".join(f"; or {name}, which reads {READS[name]}" for name in others)
    return (
        f"{path} is data, not a recipe. {command('init', path)} writes one for it; or {line} reads "
        f"{READS[first]}{more}"
    )


def _ending(path: Path) -> str:
    """Ending of a name in small letters; of a gzipped file, that of what is packed."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _is_idx(path: Path) -> bool:
    return "-ubyte" in path.name.lower() or _ending(path).startswith(".idx")


def _header(path: Path) -> set[str]:
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", errors="replace") as file:
            return {name.strip(' "').lower() for name in file.readline(10_000).strip().split(",")}
    except (OSError, EOFError, zlib.error):
        return set()


def _has(folder: Path, name: str) -> bool:
    """True if a file is there, gzipped or not."""
    return any((folder / one).is_file() for one in (name, f"{name}.gz"))


def _of_folder(path: Path) -> Iterator[str]:
    here = {_ending(file) for file in path.iterdir() if file.is_file()}
    # CLASS/FILE, CLASS/GROUP/FILE, of pictures also train/CLASS/GROUP/FILE
    below = {_ending(file) for n in (1, 2) for file in path.glob("*/" * n + "*") if file.is_file()}
    deep = {_ending(file) for file in path.glob("*/*/*/*") if file.is_file()}
    arrays = any(_ending(f) in _ARRAYS or _is_idx(f) for f in path.iterdir() if f.is_file())
    if _has(path, "captions.csv"):
        yield "own-caption"
    elif _has(path, "targets.csv"):
        yield "own-regress"
    elif here & _TABLES and not here & _SOUNDS:
        yield from ("own-label-frames", "own-regress")
    if below & (_TABLES | _SOUNDS):
        yield "own-classify-recordings"
    if arrays or (below | deep) & _PICTURES:
        yield "own-classify"
    if ".txt" in here:
        yield "own-generate"
    if len(here) == 2 and not here & {*_TABLES, ".toml", ""}:
        yield "own-translate"
