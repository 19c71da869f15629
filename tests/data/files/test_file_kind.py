"""Files are told by their first bytes, whatever they are called."""

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import wave
import zipfile

import numpy as np
import pytest
from PIL import Image

from carousel.data.files.file_kind import kind_of, refuse_binary
from carousel.data.files.image_features import read_features
from carousel.data.files.images import read_film, read_images
from carousel.data.files.sounds import read_sound
from carousel.data.files.text import decode, read_text
from carousel.errors import DataError


def saved(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def picture(kind):
    return saved(lambda buffer: Image.new("L", (8, 8)).save(buffer, kind))


def zipped(**files):
    def write(buffer):
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in files.items():
                archive.writestr(name.replace("__", "/"), content)

    return saved(write)


def tarred(buffer):
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))


def sounded(buffer):
    with wave.open(buffer, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(100))


SPREADSHEET = {"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}
KINDS = {
    "Parquet": lambda: b"PAR1\x15\x04\x15\x00",
    "Excel workbook": lambda: zipped(xl__workbook_xml="x", docProps="y"),
    "OpenDocument spreadsheet": lambda: zipped(**SPREADSHEET),
    "Word document": lambda: zipped(word__document_xml="x"),
    "zip archive": lambda: zipped(a="x"),
    r"\.npz": lambda: saved(lambda buffer: np.savez(buffer, a=np.zeros(3))),
    r"\.npy": lambda: saved(lambda buffer: np.save(buffer, np.zeros(3))),
    "gzip": lambda: gzip.compress(b"x"),
    "bzip2": lambda: bz2.compress(b"x"),
    "xz": lambda: lzma.compress(b"x"),
    "tar archive": lambda: saved(tarred),
    "PNG picture": lambda: picture("PNG"),
    "JPEG picture": lambda: picture("JPEG"),
    "GIF picture": lambda: picture("GIF"),
    "TIFF picture": lambda: picture("TIFF"),
    "WebP picture": lambda: picture("WebP"),
    "WAV sound": lambda: saved(sounded),
    "PDF": lambda: b"%PDF-1.7\n%\xe2\xe3",
    "pickle": lambda: pickle.dumps([1, 2, "x"]),
    "IDX": lambda: bytes((0, 0, 8, 1, 0, 0, 0, 1, 7)),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_binary_file_in_place_of_a_text_is_called_what_it_is(name):
    content = KINDS[name]()
    with pytest.raises(DataError, match=f"x.csv is an? .*{name}.*, not a text") as caught:
        decode(content, "x.csv")
    assert "iconv" not in str(caught.value)
    with pytest.raises(DataError, match="not a table"):
        refuse_binary(content, "x.csv", "a table")


@pytest.mark.parametrize(
    "text",
    ["ORC is a word\n", "ID3 tags\n", "BZh\n", "PK and so on\n", "PAR1 of 3\n", "7z\n", "RIFF\n"],
)
def test_a_text_that_begins_like_a_signature_is_a_text(text):
    assert kind_of(text.encode()) is None
    assert decode(text.encode(), "x") == text


def test_a_gzipped_table_is_called_what_is_in_it(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"PAR1\x15\x04"))
    with pytest.raises(DataError, match=r"is a Parquet table.*pandas"):
        read_text(tmp_path / "x.gz")


@pytest.mark.parametrize(
    "read",
    [
        read_text,
        read_images,
        read_features,
        lambda path: read_film(path, 16),
        lambda path: read_sound(path, 8000),
    ],
)
def test_every_reader_calls_a_folder_a_folder_and_a_missing_file_missing(tmp_path, read):
    with pytest.raises(DataError, match=r"is a folder, not a file: name a file$"):
        read(tmp_path)
    (tmp_path / "b.csv").write_text("")
    (tmp_path / ".a").write_text("")
    with pytest.raises(DataError, match=r"is a folder, not a file: name a file, such as .*b\.csv"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"there is no file .*none"):
        read(tmp_path / "none")


def damaged(kind):
    """A zip with a member that cannot be read."""
    content = bytearray(saved(lambda buffer: zip_with(buffer, kind)))
    first = content.index(b"mimetype") + len("mimetype")
    content[first : first + 6] = b"\xff" * 6
    return bytes(content)


def zip_with(buffer, kind):
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        archive.writestr("mimetype", "application/vnd.oasis" * 9)


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_damaged_zip_is_still_called_a_zip(kind):
    with pytest.raises(DataError, match="zip"):
        decode(damaged(kind), "x.csv")


def test_an_array_is_read_under_the_other_ending_and_an_empty_one_refused(tmp_path):
    frames = np.zeros((3, 28, 28), np.uint8)
    with (tmp_path / "x.npz").open("wb") as file:
        np.save(file, frames)
    assert read_images(tmp_path / "x.npz").shape == (3, 28, 28)
    with (tmp_path / "y.npy").open("wb") as file:
        np.savez(file, frames)
    (tmp_path / "z.npy").write_bytes(b"")
    for name in ("y.npy", "z.npy"):
        with pytest.raises(DataError):
            read_film(tmp_path / name, 28)
