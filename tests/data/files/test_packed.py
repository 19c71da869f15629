"""Files of one's own that are gzipped are read as those that are not."""

import gzip
import os

import pytest
from PIL import Image

from carousel.config import Config
from carousel.data.files.captions import read_parts
from carousel.data.files.recordings import read_measured
from carousel.data.files.text import packed
from carousel.data.proposal import has_columns
from carousel.errors import DataError
from carousel.recipes.suited import suited


def pack(file):
    """The file gzipped, in its place."""
    file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()


def test_a_file_that_is_there_is_taken_before_the_gzipped_one(tmp_path):
    plain, other = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    assert packed(plain) == plain
    other.touch()
    assert packed(plain) == other
    plain.touch()
    assert packed(plain) == plain


def test_a_table_of_targets_is_read_gzipped(tmp_path):
    rows = ["file,age"]
    for i in range(12):
        (tmp_path / f"r{i}.csv").write_text(f"x,y\n{i},1\n{i + 1},2\n")
        rows.append(f"r{i}.csv,{i}.5")
    table = tmp_path / "targets.csv"
    table.write_text("\n".join(rows) + "\n")
    config = Config(task="regress").override({"data.name": "recordings", "data.path": tmp_path})
    plain = read_measured(config)
    pack(table)
    assert suited(tmp_path)[0] == "own-regress"
    found = read_measured(config)
    for part in ("train", "validation", "test"):
        assert found.part(part).names == plain.part(part).names
        assert found.part(part).targets.equal(plain.part(part).targets)
    table.with_name("targets.csv.gz").write_bytes(gzip.compress(b"file,age\nr1.csv,1\n"))
    with pytest.raises(DataError, match=r"targets\.csv\.gz must name at least"):
        read_measured(config)


def test_captions_are_read_gzipped(tmp_path):
    rows = ["image,caption"]
    for i in range(12):
        Image.frombytes("L", (8, 8), os.urandom(64)).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,a picture of {i}")
    table = tmp_path / "captions.csv"
    table.write_text("\n".join(rows) + "\n")
    config = Config(task="caption").override({"data.name": "images", "data.path": tmp_path})
    plain = read_parts(config)
    pack(table)
    assert suited(tmp_path)[0] == "own-caption"
    assert read_parts(config).train.captions == plain.train.captions


def test_gzipped_running_text_is_no_table(tmp_path):
    text = tmp_path / "a.txt"
    text.write_text("a, b, c\nd, e, f\n")
    assert not has_columns(text)
    pack(text)
    assert not has_columns(tmp_path / "a.txt.gz")
