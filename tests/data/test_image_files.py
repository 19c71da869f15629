"""Files that users hand to `predict`: every format gives the same pixels, bad ones an error."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from carousel.data.idx import parse_idx
from carousel.data.image_files import check_images, read_images
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


def test_parse_idx_reads_any_number_of_dimensions(pixels):
    for array in (pixels, pixels[0], pixels[0, 0]):
        assert np.array_equal(parse_idx(idx(array), "x"), array)
