"""Images of one's own: folders, tables of names, arrays; any size and kind, made alike."""

import gzip

import numpy as np
import pytest
from PIL import Image
from small_images import CLASSES, arrays, images_config, pattern, write_images

from carousel.data.files.image_arrays import pixels_of, read_blocks
from carousel.data.files.image_classes import entries_in
from carousel.data.files.image_fit import fitted, look_of, picture_of_array, shape_of
from carousel.data.labelled_images import ImageParts
from carousel.errors import ConfigError, DataError


def parts_of(path, *more):
    return ImageParts.read(images_config(path, *more))


def by_name(parts):
    return {
        name: (image.numpy(), parts.classes[int(label)])
        for part in (parts.train, parts.validation, parts.test)
        for name, image, label in zip(part.names, part.images, part.labels, strict=True)
    }


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


def test_a_folder_for_each_class_gives_every_picture_its_class_and_its_pixels(tmp_path):
    parts = parts_of(write_images(tmp_path))
    assert parts.classes == CLASSES
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [24, 6, 6]
    for name, (image, label) in by_name(parts).items():
        assert name.startswith(f"{label}/")
        number = int(name.partition("/")[2].removesuffix(".png"))
        np.testing.assert_array_equal(image, pattern(label, 8, number))


def test_each_class_stands_in_every_part(tmp_path):
    parts = parts_of(write_images(tmp_path, count=5))
    for part in (parts.train, parts.validation, parts.test):
        assert set(part.labels.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("kind", ["npz", "keras", "idx", "npy", "one-hot"])
def test_arrays_are_read_as_pictures_of_the_same_pixels_are(kind, tmp_path):
    pixels, labels = arrays()
    path = tmp_path
    if kind == "npz":
        np.savez(tmp_path / "a.npz", images=pixels, labels=np.array(CLASSES)[labels])
        path = tmp_path / "a.npz"
    elif kind == "keras":
        path = tmp_path / "a.npz"
        np.savez(path, x_train=pixels[::2], y_train=labels[::2], x_test=pixels[1::2],
                 y_test=labels[1::2, None])  # fmt: skip
    elif kind == "one-hot":
        path = tmp_path / "a.npz"
        np.savez(path, x=pixels / 255, y=np.eye(3)[labels])
    elif kind == "idx":
        (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(labels))
    else:
        np.save(tmp_path / "images.npy", pixels)
        np.save(tmp_path / "labels.npy", labels)
        path = tmp_path / "images.npy"
    found, _ = entries_in(path)
    known = [(one.pixels.tobytes(), one.label) for one in found]
    names = CLASSES if kind == "npz" else ("0", "1", "2")
    wanted = [(image.tobytes(), names[label]) for image, label in zip(pixels, labels, strict=True)]
    assert sorted(known) == sorted(wanted)
    assert {one.part for one in found} == ({"train", "test"} if kind == "keras" else {""})


def test_what_arrays_say_of_parts_is_kept_and_the_rest_drawn(tmp_path):
    pixels, labels = arrays()
    np.savez(tmp_path / "a.npz", x_train=pixels[::2], y_train=labels[::2], x_test=pixels[1::2],
             y_test=labels[1::2])  # fmt: skip
    parts = parts_of(tmp_path / "a.npz")
    test = {image.tobytes() for image in pixels[1::2]}
    assert {image.numpy().tobytes() for image in parts.test.images} == test
    assert len(parts.train) + len(parts.validation) == 18
    assert len(parts.validation) == 3


def test_folders_train_and_test_are_parts(tmp_path):
    write_images(tmp_path, 6, where="train/{label}/{number}.png")
    path = write_images(tmp_path, 3, where="test/{label}/{number}.png", first=100)
    parts = parts_of(path)
    assert parts.classes == CLASSES
    assert {name.split("/")[0] for name in parts.test.names} == {"test"}
    assert {name.split("/")[0] for name in parts.train.names} == {"train"}
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [15, 3, 9]


def test_groups_of_pictures_stand_in_one_part(tmp_path):
    parts = parts_of(write_images(tmp_path, where="{label}/{group}/{number}.png"))
    places = [
        {n.split("/")[1] for n in p.names} for p in (parts.train, parts.validation, parts.test)
    ]
    assert not places[0] & places[1]
    assert not places[2] & (places[0] | places[1])


def test_the_most_frequent_size_is_taken_and_others_are_made_that_size_and_counted(tmp_path):
    path = write_images(tmp_path)
    for number, side in enumerate((5, 20)):
        Image.fromarray(pattern("up", side)).save(path / "up" / f"other{number}.png")
    parts = parts_of(path)
    assert parts.shape == (8, 8)
    assert sum(parts.account()["resized"].values()) == 2


@pytest.mark.parametrize(
    ("sizes", "size", "wanted"),
    [
        ([(28, 28)] * 3, "auto", (28, 28)),
        ([(100, 50)] * 3, "auto", (64, 32)),
        ([(10, 10), (20, 30), (30, 40)], "auto", (20, 30)),
        ([(10, 10)], "32x100", (32, 100)),
        ([(10, 10)], "16", (16, 16)),
    ],
)
def test_size_of_images(sizes, size, wanted):
    shape, _ = shape_of([look_of(picture_of_array(np.zeros(s, np.uint8))) for s in sizes], size,
                        "auto")  # fmt: skip
    assert shape == wanted


@pytest.mark.parametrize("size", ["big", "0", "600", "1x2x3", "-4"])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ConfigError, match=r"pictures\.size must"):
        shape_of([look_of(picture_of_array(np.zeros((8, 8), np.uint8)))], size, "auto")


def test_color_is_taken_if_a_training_picture_has_any_and_grey_in_three_channels_is_grey(tmp_path):
    path = write_images(tmp_path)
    for file in path.rglob("*.png"):
        Image.open(file).convert("RGB").save(file)
    assert parts_of(path).shape == (8, 8)
    for file in path.rglob("*.png"):
        red = np.array(Image.open(file))
        red[..., 1:] = 0
        Image.fromarray(red).save(file)
    colored = parts_of(path)
    assert colored.shape == (3, 8, 8)
    assert colored.train.images[:, 1:].sum() == 0 < colored.train.images[:, 0].sum()
    grey = parts_of(path, "pictures.channels=grey")
    assert grey.shape == (8, 8)
    assert sum(grey.account()["recoloured"].values()) == 36


def test_other_sizes_are_padded_cropped_or_stretched():
    wide = np.zeros((4, 8), np.uint8)
    wide[:, :4], wide[:, 4:] = 100, 200
    picture = picture_of_array(wide)
    padded = fitted(picture, (8, 8), "pad")
    assert (padded[:2] == 0).all()
    assert (padded[-2:] == 0).all()
    np.testing.assert_array_equal(padded[2:6], wide)
    cropped = fitted(picture, (4, 4), "crop")
    np.testing.assert_array_equal(cropped, wide[:, 2:6])
    stretched = fitted(picture, (8, 8), "stretch")
    assert (stretched[:, :3] == 100).all()
    assert (stretched[:, -3:] == 200).all()


def test_a_picture_that_cannot_be_read_is_left_out_counted_and_named(tmp_path):
    path = write_images(tmp_path)
    (path / "up" / "broken.png").write_text("no picture")
    (path / "up" / "empty.png").write_bytes(b"")
    (path / "up" / "readme.txt").write_text("about")
    (path / "loose.png").write_bytes((path / "up" / "0.png").read_bytes())
    account = parts_of(path).account()
    assert sum(account["unreadable"].values()) == 2
    assert sum(account["sizes"].values()) == 36
    assert any("broken.png is no picture" in line for line in account["unreadable_files"])
    assert any("empty.png is empty" in line for line in account["unreadable_files"])
    said = " ".join(account["recognised"])
    assert "1 picture in no folder of a class: left out" in said
    assert "1 file of other kinds: not read" in said


def test_a_table_of_names_says_the_classes_and_the_parts(tmp_path):
    path = write_images(tmp_path)
    files = [file.relative_to(tmp_path) for file in sorted(path.rglob("*.png"))]
    part = dict(zip(range(12), ["train"] * 8 + ["val"] * 2 + ["test"] * 2, strict=True))
    rows = [f"{f};{f.parent.name}!;{part[int(f.stem)]}" for f in files]
    table = tmp_path / "names.csv"
    table.write_text("picture;what;part\n" + "\n".join([*rows, "pictures/none.png;up!;train"]))
    roles = ["columns.file=picture", "columns.target=what"]
    parts = parts_of(table, *roles, "split.by=column", "split.column=part")
    assert parts.classes == ("across!", "full!", "up!")
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [24, 6, 6]
    assert parts.account()["unreadable"] == {"train": 1}
    assert "none.png is not there" in parts.account()["unreadable_files"][0]


def test_a_class_with_too_few_pictures_is_refused_with_its_name(tmp_path):
    path = write_images(tmp_path)
    for number in range(2, 12):
        (path / "up" / f"{number}.png").unlink()
    with pytest.raises(DataError, match=r"class 'up' .* has 2 images, and 3 are the least"):
        parts_of(path)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros(5), "must have images"),
        (np.zeros((2, 3, 4, 5, 6)), "must have images"),
        (np.full((2, 4, 4), np.nan), "NaN or infinity"),
        (np.full((2, 4, 4), 300), "must lie in 0 to 255"),
        (np.array([["a", "b"]]), "must be numbers"),
    ],
)
def test_arrays_that_are_no_images_are_refused(array, said):
    with pytest.raises(DataError, match=said):
        pixels_of(array, "x")


def test_colors_may_stand_before_or_behind():
    colored = np.random.default_rng(0).integers(0, 255, (2, 6, 7, 3)).astype(np.uint8)
    np.testing.assert_array_equal(pixels_of(colored, ""), colored)
    np.testing.assert_array_equal(pixels_of(np.moveaxis(colored, -1, 1), ""), colored)


def test_classes_that_are_missing_are_asked_for(tmp_path):
    np.savez(tmp_path / "a.npz", images=arrays()[0])
    with pytest.raises(DataError, match="their classes must stand in an array beside it"):
        read_blocks(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", images=arrays()[0], labels=np.zeros(5))
    with pytest.raises(DataError, match="one class for each of 36 images"):
        read_blocks(tmp_path / "b.npz")
    np.save(tmp_path / "images.npy", arrays()[0])
    with pytest.raises(DataError, match="must stand beside it"):
        read_blocks(tmp_path / "images.npy")


def test_the_split_is_of_the_seed_of_the_split_alone(tmp_path):
    path = write_images(tmp_path)
    assert parts_of(path).test.names == parts_of(path).test.names
    assert parts_of(path, "data.split_seed=1").test.names != parts_of(path).test.names


def test_more_classes_than_one_are_needed(tmp_path):
    path = write_images(tmp_path)
    only = path / "up"
    with pytest.raises(DataError, match="a folder of pictures for each class"):
        parts_of(only)
