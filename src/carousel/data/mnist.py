"""The full MNIST data set, embedded in the package and checked each time it is read.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. Gradient-based learning applied to document
recognition. Proc. IEEE 86(11), 1998. Licence and citation: embedded/mnist/LICENSE.txt.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

import torch
from torch import Tensor

from carousel.data.files.idx import parse_idx
from carousel.data.labelled_images import Images
from carousel.errors import DataError

FOLDER = Path(__file__).parent / "embedded" / "mnist"
CLASSES = tuple(str(digit) for digit in range(10))
SIDE = 28

# SHA-256 of the decompressed files; their MD5 sums, in LICENSE.txt there, are the published ones.
_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def load_train() -> Images:
    """The 60,000 training images. Raises `DataError` if the embedded files are damaged."""
    return _load("train")


def load_test() -> Images:
    """The 10,000 images of the published test set. Raises `DataError` like `load_train`."""
    return _load("t10k")


def _load(part: str) -> Images:
    images = _read(f"{part}-images-idx3-ubyte")
    labels = _read(f"{part}-labels-idx1-ubyte")
    return Images(images, labels.long())


def _read(name: str) -> Tensor:
    path = FOLDER / f"{name}.gz"
    mend = "reinstall carousel-rnn (pip install --force-reinstall carousel-rnn)"
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"the embedded file {path} cannot be read ({error}): {mend}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != _SHA256[name]:
        raise DataError(
            f"the embedded file {path} is damaged: its data should have the SHA-256 "
            f"{_SHA256[name][:12]}…, it has {found[:12]}…: {mend}"
        )
    # A copy, because torch wants memory it may write to.
    return torch.from_numpy(parse_idx(content, str(path)).copy())
