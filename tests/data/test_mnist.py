"""The embedded MNIST is the published one, and damage to it is seen."""

import gzip
import hashlib
import shutil

import pytest
import torch

from carousel.data import mnist
from carousel.errors import DataError

# MD5 sums of the decompressed files as published at the data set's home.
PUBLISHED = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_embedded_files_are_the_published_ones(name):
    content = gzip.decompress((mnist.FOLDER / f"{name}.gz").read_bytes())
    assert hashlib.md5(content).hexdigest() == PUBLISHED[name]


def test_all_images_are_there_with_every_digit():
    train, test = mnist.load_train(), mnist.load_test()
    assert train.images.shape == (60_000, 28, 28)
    assert test.images.shape == (10_000, 28, 28)
    assert train.images.dtype == torch.uint8
    # The published label counts of the test set.
    assert test.labels.bincount().tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert len(train.labels) == 60_000


@pytest.fixture
def copy(tmp_path, monkeypatch):
    folder = tmp_path / "mnist"
    shutil.copytree(mnist.FOLDER, folder)
    monkeypatch.setattr(mnist, "FOLDER", folder)
    return folder / "t10k-labels-idx1-ubyte.gz"


def test_changed_data_is_refused_by_checksum(copy):
    content = bytearray(gzip.decompress(copy.read_bytes()))
    content[100] ^= 1
    copy.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(DataError, match=r"t10k-labels.*is damaged.*SHA-256.*reinstall"):
        mnist.load_test()


@pytest.mark.parametrize("damage", ["cut", "garbage", "flipped", "missing"])
def test_unreadable_data_is_refused_with_advice(copy, damage):
    content = copy.read_bytes()
    if damage == "cut":
        copy.write_bytes(content[:1000])
    elif damage == "garbage":
        copy.write_bytes(b"not gzip")
    elif damage == "flipped":
        middle = len(content) // 2
        copy.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])
    else:
        copy.unlink()
    with pytest.raises(DataError, match="reinstall") as caught:
        mnist.load_test()
    assert "\n" not in str(caught.value)
