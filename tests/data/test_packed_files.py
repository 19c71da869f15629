"""Custom files that are gzipped are read as those that are not."""

import gzip
import shutil

import pytest
from every_task import SMALL
from small_pairs import pair_config, write_pairs
from small_recordings import recordings_config, write_classes
from small_sentences import write_sentences

from carousel import tasks
from carousel.data.files.text import read_lines
from carousel.data.fingerprint import fingerprint
from carousel.errors import DataError
from carousel.recipes import suited

EVERY = {
    **{name: form for name, form in SMALL.items() if name not in ("classify", "regress_whole")},
    "classify_recordings": lambda folder: recordings_config(write_classes(folder)),
    "translate": lambda folder: pair_config(write_pairs(folder, 80), "text.level=word"),
}


def pack(path):
    """Gzip every file below a path; returns where it is now."""
    files = [f for f in path.rglob("*") if f.is_file()] if path.is_dir() else [path]
    for file in files:
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    return path if path.is_dir() else path.with_name(f"{path.name}.gz")


@pytest.mark.parametrize("name", EVERY)
def test_gzipped_files_give_the_parts_that_plain_ones_give(name, tmp_path):
    from pathlib import Path

    config = EVERY[name](tmp_path)
    plain = tasks.find(config.task)(config, 0).parted
    packed = config.override([f"data.path='{pack(Path(config.data.path))}'"])
    other = tasks.find(config.task)(packed, 0).parted
    for part in ("train", "validation", "test"):
        one, two = plain.part(part), other.part(part)
        assert fingerprint(one) == fingerprint(two)
        assert getattr(one, "names", None) == getattr(two, "names", None)


def test_sentences_in_a_gzipped_csv_are_read_and_its_recipe_is_found(tmp_path):
    lines = [line.split("\t") for line in write_sentences(tmp_path).read_text().splitlines()]
    file = tmp_path / "s.csv"
    file.write_text("label,text\n" + "".join(f"{a},{b}\n" for a, b in lines))
    plain = suited.suited(file)
    config = SMALL["classify_text"](tmp_path).override([f"data.path='{pack(file)}'"])
    assert len(tasks.find("classify_text")(config, 0).parted.train) > 100
    assert suited.suited(tmp_path / "s.csv.gz") == plain


def test_a_label_in_two_files_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("one\n")
    shutil.copy(tmp_path / "a.txt", tmp_path / "b.txt")
    shutil.copy(pack(tmp_path / "b.txt"), tmp_path / "a.txt.gz")
    with pytest.raises(DataError, match=r"a\.txt and .*a\.txt\.gz would be one label"):
        read_lines(tmp_path)


def test_a_folder_of_gzipped_series_is_read_as_one_of_plain_ones(tmp_path):
    (tmp_path / "one").mkdir()
    config = SMALL["anomaly"](tmp_path / "one")
    folder = tmp_path / "series"
    folder.mkdir()
    shutil.copy(config.data.path, folder / "a.csv")
    plain = tasks.find("anomaly")(config.override([f"data.path='{folder}'"]), 0).parted
    pack(folder)
    packed = tasks.find("anomaly")(config.override([f"data.path='{folder}'"]), 0).parted
    assert [one.name for one in packed.series] == [one.name for one in plain.series] == ["a"]
    assert fingerprint(packed.part("train")) == fingerprint(plain.part("train"))
