"""Images with captions: files of any size and kind, broken ones, parts."""

import numpy as np
import pytest
import torch
from PIL import Image
from small_scenes import images_config, scenes_config, write_images

from carousel.config import PicturesConfig
from carousel.data.captioned import CaptionedImages
from carousel.data.files.captions import picture_of, read_captions
from carousel.errors import ConfigError, DataError

SMALL = PicturesConfig(side=8)


def test_every_image_is_in_one_part(tmp_path):
    data = CaptionedImages.read(images_config(write_images(tmp_path)))
    parts = [data.part(name) for name in ("train", "validation", "test")]
    names = [name for part in parts for name in part.names]
    assert sorted(names) == sorted(f"i{n}.png" for n in range(30))
    for part in parts:
        assert part.images.shape == (len(part), 3, 16, 16)
        assert all(len(some) == 2 for some in part.captions)
    assert data.account()["also_in_training"] == {"validation": 0, "test": 0}


def test_images_that_cannot_be_read_are_left_out_and_counted(tmp_path):
    folder = write_images(tmp_path)
    whole = CaptionedImages.read(images_config(folder))
    (folder / whole.train.names[0]).write_bytes(b"\x89PNG and then nothing")
    (folder / whole.train.names[1]).unlink()
    (folder / whole.test.names[0]).write_bytes(b"")
    data = CaptionedImages.read(images_config(folder))
    account = data.account()
    assert account["unreadable"] == {"train": 2, "test": 1}
    assert data.train.names == whole.train.names[2:]
    for file in folder.glob("*.png"):
        file.write_bytes(b"nothing")
    with pytest.raises(DataError, match="no image of the train part can be read"):
        CaptionedImages.read(images_config(folder))


def test_a_scene_that_stands_in_two_parts_would_be_counted():
    data = CaptionedImages.read(scenes_config())
    data.train.images[3] = data.test.images[5]
    assert data.account()["also_in_training"] == {"validation": 0, "test": 1}


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "F"])
@pytest.mark.parametrize("color", [True, False])
def test_images_of_every_kind_are_read(tmp_path, mode, color):
    grey = np.full((6, 12), 200, np.uint8)
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(grey).convert(mode)
    file = tmp_path / "x.tiff"
    picture.save(file)
    pixels = picture_of(file, PicturesConfig(side=8, color=color))
    assert pixels.shape == ((3 if color else 1), 8, 8)
    assert pixels.dtype == torch.uint8
    assert abs(int(pixels[0, 4, 4]) - (255 if mode == "1" else 200)) <= 2
    assert not pixels[:, 0].any(), "a wide image has black above it"


def test_the_camera_says_how_an_image_is_turned(tmp_path):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the right of the scene is at the top of the file
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif)
    found = picture_of(tmp_path / "x.png", SMALL)
    assert (found[0, 1, 6], found[0, 6, 1]) == (255, 0)


def test_what_is_transparent_is_white():
    import io

    stream = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(stream, "PNG")
    assert picture_of(stream.getvalue(), SMALL).min() == 255


def test_what_is_no_image_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        picture_of(tmp_path / "x.png", SMALL)
    (tmp_path / "x.png").write_text("no image")
    with pytest.raises(DataError, match="not an image that can be read"):
        picture_of(tmp_path / "x.png", SMALL)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,text\na.png,x\n", "must begin with the header image,caption"),
        ("", "must begin with the header"),
        ("image,caption\na.png\n", "line 2 has 1 cell, the header 2"),
        ("image,caption\na.png,x\nb.png, \n", "line 3 must be an image and a caption"),
        ("image,caption\na.png,x, y\n", "line 2 has 3 cells, the header 2"),
    ],
)
def test_captions_that_cannot_be_read_say_where(text, says):
    with pytest.raises(DataError, match=says):
        read_captions(text, "captions.csv")


def test_captions_are_texts():
    text = 'image,caption\na.png,"NA, null and 1e5"\n\na.png,  two   blanks \n'
    assert read_captions(text, "x") == {"a.png": ["NA, null and 1e5", "two blanks"]}


def test_settings_that_name_no_images_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"needs data\.path"):
        CaptionedImages.read(images_config(""))
    with pytest.raises(ConfigError, match="must be one of digit-scenes, flickr8k-1k, images"):
        CaptionedImages.read(scenes_config("data.name=mnist"))
    with pytest.raises(DataError, match="there is no file"):
        CaptionedImages.read(images_config(tmp_path))
    (tmp_path / "captions.csv").write_text("image,caption\na.png,x\na.png,y\n")
    with pytest.raises(DataError, match=r"at least three images, .* it names 1"):
        CaptionedImages.read(images_config(tmp_path))


def test_the_published_set_has_its_published_parts(shared_data):
    shared_data("flickr8k-1k")
    account = CaptionedImages.read(
        images_config("", "data.name=flickr8k-1k", "data.path=''")
    ).account()
    assert account["sizes"] == {"train": 753, "validation": 113, "test": 125}
    assert account["captions"]["test"] == 625
    assert account["in_no_part"] == 9
    assert account["unreadable"] == {}
