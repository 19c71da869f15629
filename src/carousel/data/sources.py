"""Search for data sets: `$CAROUSEL_DATA`, the user's cache, or their own home, in this order.

A file may lie there as it is, compressed (.gz, .xz), or in its set's archive; what counts is the
SHA-256 of its content, pinned in `carousel.data.sets`. A copy whose content is another is an error,
never passed over.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import sys
import tarfile
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from carousel.config import closest
from carousel.data import sets
from carousel.data.files.text import decode
from carousel.data.source import Source
from carousel.errors import DataError
from carousel.places import cache, setting
from carousel.terminal import rewrites_lines

__all__ = [
    "Source",
    "cache",
    "fetch",
    "find",
    "known",
    "places",
    "read",
    "read_all",
    "text",
    "where",
]

_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)


def known() -> dict[str, Source]:
    """Every source there is, by the name of its set."""
    return sets.sources()


def find(name: str) -> Source:
    """The source of that name. Raises `DataError`."""
    if name not in known():
        raise DataError(
            f"there is no data set '{name}'.{closest(name, known())} Known: {', '.join(known())}"
        )
    return known()[name]


def places(name: str) -> list[Path]:
    """The folders in which a data set is looked for, in order."""
    given = setting("data")
    return [*([Path(given) / name] if given else []), cache() / name]


def read(name: str, file: str) -> bytes:
    """The content of one file of a data set, decompressed and checked; downloaded if need be.

    Raises `DataError` if it is damaged, or is not here and cannot be downloaded.
    """
    source = find(name)
    for folder in places(name):
        path = _lies(folder, source, file)
        if path is not None:
            return _checked(path, file, source)
    packed = file in source.packed
    return _checked(_download(name, source.archives[0] if packed else file), file, source)


def text(name: str, file: str) -> str:
    """The text of one file of a data set. Raises `DataError` like `read`."""
    return decode(read(name, file), file)


def read_all(name: str) -> dict[str, bytes]:
    """Every file of a data set that is one archive of very many, by its name, checked as a whole.

    What is compared is the SHA-256 of the lines "<SHA-256 of a file>  <its name>", sorted by name,
    as `sha256sum` prints them. Raises `DataError` like `read`.
    """
    source = find(name)
    found = (_archive(folder, source) for folder in places(name))
    path = next((path for path in found if path), None) or _download(name, source.archives[0])
    try:
        files = _members(path, path.stat().st_mtime_ns, path.stat().st_size)
    except (*_DAMAGE, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    files = {file: files[file] for file in sorted(files) if file.endswith(source.suffix)}
    sums = (f"{hashlib.sha256(content).hexdigest()}  {f}\n" for f, content in files.items())
    if hashlib.sha256("".join(sums).encode()).hexdigest() != source.digest:
        raise DataError(
            f"{path} is not the published archive: its {len(files):,} files {source.suffix} are "
            f"others; delete it, and it is downloaded again"
        )
    return files


def fetch(name: str) -> Path:
    """Have every file of a data set here, and checked. Returns the folder of the first."""
    if find(name).digest:
        read_all(name)
    for file in find(name).contents:
        read(name, file)
    found = where(name)
    assert found is not None
    return found


def where(name: str) -> Path | None:
    """The folder that holds a data set's files, or None if one of them is not here."""
    source = find(name)
    for folder in places(name):
        packed = not source.digest or _archive(folder, source) is not None
        if packed and all(_lies(folder, source, file) for file in source.contents):
            return folder
    return None


def _archive(folder: Path, source: Source) -> Path | None:
    return next((folder / n for n in source.archives if (folder / n).is_file()), None)


def _lies(folder: Path, source: Source, file: str) -> Path | None:
    """Place of a file in a folder: itself, compressed, or the archive it comes in."""
    names = [file, f"{file}.gz", f"{file}.xz"]
    if file in source.packed:
        names += source.archives
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _checked(path: Path, file: str, source: Source) -> bytes:
    try:
        if path.name in source.archives:
            state = path.stat()
            content = _members(path, state.st_mtime_ns, state.st_size).get(file)
            if content is None:
                raise DataError(f"{path} is not the published archive: it has no {file}")
        else:
            content = path.read_bytes()
            if path.suffix == ".gz":
                content = gzip.decompress(content)
            elif path.suffix == ".xz":
                content = lzma.decompress(content)
    except (*_DAMAGE, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    found, wanted = hashlib.sha256(content).hexdigest(), source.contents[file]
    if found != wanted:
        raise DataError(
            f"{path} is not the published file: the content of {file} should have the SHA-256 "
            f"{wanted[:12]}…, it has {found[:12]}…; delete it, and it is downloaded again"
        )
    return content


@lru_cache(maxsize=1)
def _members(path: Path, modified: int, size: int) -> dict[str, bytes]:
    """The files in a small archive by their names without folders. modified, size: for the cache,
    so that a file that changed is read again."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {Path(n).name: archive.read(n) for n in archive.namelist() if n[-1] != "/"}
    members = {}
    with tarfile.open(path) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None:
                members[Path(member.name).name] = stream.read()
    return members


def _download(name: str, file: str) -> Path:
    import pooch
    import requests

    source, folder = find(name), cache() / name
    stored = file if file in source.archives else file + source.compressed
    pooch.get_logger().setLevel("WARNING")  # the bar says what is going on
    try:
        path = pooch.retrieve(
            source.home + stored,
            # What is packed is known by its content, which is checked when it is read.
            known_hash=f"sha256:{source.files[stored]}" if stored in source.files else None,
            fname=stored,
            path=folder,
            downloader=_get,
        )
    except (requests.RequestException, ValueError, OSError) as error:
        if isinstance(error, requests.ConnectionError | requests.Timeout):
            reason = "no connection"
        elif isinstance(error, requests.HTTPError) and error.response is not None:
            reason = f"the server answers {error.response.status_code}"
        elif isinstance(error, ValueError):
            reason = "what came has another SHA-256 than the published file"
        else:
            reason = str(error)
        wanted = [*source.files, *source.archives[:1]]
        raise DataError(
            f"{name} is not here, and {source.home}{stored} cannot be downloaded: {reason}. "
            f"Without a network, put {', '.join(wanted)}, plain or .gz, from "
            f"{source.home} into {folder} or $CAROUSEL_DATA/{name}"
        ) from None
    return Path(path)


def _get(url: str, output: str, _: Any) -> None:
    """Download to a file, with a bar on standard error; pooch calls it and checks the result."""
    import requests
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    still = not rewrites_lines(sys.stderr)
    bars = Progress(*columns, console=Console(stderr=True), transient=True, disable=still)
    # Not pooch's own downloader, which leaves the connection open after an error.
    with (
        requests.get(url, stream=True, timeout=30) as response,
        bars,
        Path(output).open("wb") as to,
    ):
        response.raise_for_status()
        size = response.headers.get("content-length")
        bar = bars.add_task(url.rsplit("/", 1)[-1], total=int(size) if size else None)
        for chunk in response.iter_content(1 << 16):
            to.write(chunk)
            bars.update(bar, advance=len(chunk))
