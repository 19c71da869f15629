"""Files that users hand to `predict`: every format gives the same pixels, bad ones an error."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from carousel.config import PicturesConfig
from carousel.data.files.captions import picture_of
from carousel.data.files.idx import parse_idx
from carousel.data.files.image_fit import open_picture
from carousel.data.files.images import check_images, read_film, read_images
from carousel.errors import DataError


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_every_format_gives_the_same_pixels(tmp_path, pixels):
    np.savez(tmp_path / "one.npz", pixels)
    np.savez(tmp_path / "named.npz", labels=np.arange(3), images=pixels)
    np.savez(tmp_path / "floats.npz", pixels / 255)
    (tmp_path / "plain.idx").write_bytes(idx(pixels))
    (tmp_path / "images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
    for file in tmp_path.iterdir():
        assert np.array_equal(read_images(file).numpy(), pixels), file.name


def test_a_picture_is_one_image_also_in_colour(tmp_path, pixels):
    Image.fromarray(pixels[0]).save(tmp_path / "grey.png")
    Image.fromarray(pixels[0]).convert("RGB").save(tmp_path / "colour.png")
    for name in ("grey.png", "colour.png"):
        assert np.array_equal(read_images(tmp_path / name).numpy(), pixels[:1])


def test_a_picture_of_16_bits_is_scaled_and_not_clipped(tmp_path, pixels):
    Image.fromarray(pixels[0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert np.array_equal(read_images(tmp_path / "deep.png").numpy(), pixels[:1])


def test_a_transparent_background_is_white_as_viewers_show_it(tmp_path, pixels):
    ink = np.zeros((28, 28, 4), np.uint8)  # black, as opaque as the pixels say
    ink[..., 3] = pixels[0]
    Image.fromarray(ink).save(tmp_path / "ink.png")
    assert np.array_equal(read_images(tmp_path / "ink.png").numpy(), 255 - pixels[:1])
    palette = Image.fromarray(pixels[0] & 1).convert("P")
    palette.putpalette([0, 0, 0, 90, 90, 90])
    palette.save(tmp_path / "palette.png", transparency=0)
    expected = np.where(pixels[:1] & 1, 90, 255)
    assert np.array_equal(read_images(tmp_path / "palette.png").numpy(), expected)


def test_a_single_array_is_one_image(pixels):
    assert np.array_equal(check_images(pixels[0], "x").numpy(), pixels[:1])


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((2, 28, 27)), r"28 x 28.*2x28x27"),
        (np.zeros((28, 28, 3, 3)), r"28x28x3x3"),
        (np.full((1, 28, 28), np.nan), "NaN"),
        (np.full((1, 28, 28), np.inf), "NaN or infinity"),
        (np.full((1, 28, 28), 1.5), r"\[0, 1\].*1\.5"),
        (np.full((1, 28, 28), -1), "0 to 255; got -1"),
        (np.full((1, 28, 28), 256), "got 256 to 256"),
        (np.full((1, 28, 28), "a"), "must be numbers"),
    ],
)
def test_images_that_do_not_fit_are_refused_with_the_reason(array, says):
    with pytest.raises(DataError, match=says):
        check_images(array, "x")


def test_bad_files_are_errors_that_name_them(tmp_path, pixels):
    Image.fromarray(np.zeros((10, 20), np.uint8)).save(tmp_path / "small.png")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "text.npz").write_text("no arrays")
    (tmp_path / "cut.idx").write_bytes(idx(pixels)[:-5])
    (tmp_path / "cut.gz").write_bytes(gzip.compress(idx(pixels))[:50])
    (tmp_path / "empty").write_bytes(b"")
    np.savez(tmp_path / "two.npz", a=pixels, b=pixels)
    np.savez(tmp_path / "objects.npz", np.array([{}], dtype=object))
    says = {"small.png": "20 x 10", "two.npz": "a, b", "cut.idx": "cut short"}
    for file in tmp_path.iterdir():
        with pytest.raises(DataError) as caught:
            read_images(file)
        assert file.name in str(caught.value)
        assert says.get(file.name, "") in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"there is no file .*nowhere\.png"):
        read_images(tmp_path / "nowhere.png")


def test_what_is_no_picture_is_said_without_an_address_in_memory(tmp_path):
    (tmp_path / "a.gif").write_text("no picture")
    with pytest.raises(DataError, match=r"a\.png is not an image that can be read$"):
        picture_of(b"no picture", PicturesConfig(), "a.png")
    with pytest.raises(DataError, match=r"a\.png is no picture that can be read$"):
        open_picture(b"no picture", "a.png")
    with pytest.raises(DataError, match=r"a\.gif is no film that can be read$"):
        read_film(tmp_path / "a.gif", 8)


def test_parse_idx_reads_any_number_of_dimensions(pixels):
    for array in (pixels, pixels[0], pixels[0, 0]):
        assert np.array_equal(parse_idx(idx(array), "x"), array)


def turned(pixels, orientation):
    """Pixels as a camera stores them that was held so that viewers must turn them back."""
    stored = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.T,
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a.T, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](pixels)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return Image.fromarray(np.ascontiguousarray(stored)), exif


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "jpg", "tiff", "webp"])
def test_a_picture_that_says_how_the_camera_was_held_is_turned(tmp_path, kind, orientation):
    quarters = np.zeros((28, 28), np.uint8)
    quarters[:14, :14], quarters[:14, 14:], quarters[14:, :14] = 255, 170, 85
    picture, exif = turned(quarters, orientation)
    picture.save(
        tmp_path / f"x.{kind}", exif=exif, **({"lossless": True} if kind == "webp" else {})
    )
    found = read_images(tmp_path / f"x.{kind}").numpy()[0].astype(int)
    assert np.abs(found - quarters).mean() < 2  # JPEG rounds
    how = PicturesConfig(side=28, color=False)
    captioned = picture_of(tmp_path / f"x.{kind}", how).numpy()[0].astype(int)
    assert np.abs(captioned - quarters).mean() < 2


def test_the_frames_of_a_film_are_turned_as_well(tmp_path):
    frame = np.zeros((8, 8), np.uint8)
    frame[:4] = 255
    picture, exif = turned(frame, 6)
    picture.save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(read_film(tmp_path / "x.png", 8), frame.reshape(1, -1).astype(np.float32))


def test_a_numpy_array_is_read_and_a_name_does_not_mislead(tmp_path, pixels):
    np.save(tmp_path / "x.npy", pixels)
    assert np.array_equal(read_images(tmp_path / "x.npy").numpy(), pixels)
    (tmp_path / "x.npy").rename(tmp_path / "x.idx")
    assert np.array_equal(read_images(tmp_path / "x.idx").numpy(), pixels)
    Image.fromarray(pixels[0]).save(tmp_path / "y", "PNG")
    assert np.array_equal(read_images(tmp_path / "y").numpy(), pixels[:1])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PAR1\x15\x04", "is a Parquet table: images must be a .png"),
        (b"%PDF-1.4", "is a PDF: images must be"),
        (b"", "is empty"),
        (b"some text\n", "is not an IDX file"),
        (b"\x1f\x8b\x08broken", "cannot be read"),
    ],
)
def test_a_file_that_is_no_image_is_called_what_it_is(tmp_path, content, says):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_images(tmp_path / "x")
