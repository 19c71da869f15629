"""Sections on the data: which, and how they become sequences."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.config import groups
from carousel.config.keys import DROPPED, KEPT, key

#: Reads image files, each with a caption.
CAPTIONED = {"caption": "data.name!=digit-scenes"}
#: Reads image files, each with a class.
OWN_IMAGES = {"classify": "data.name!=mnist"}


@dataclass(frozen=True)
class DataConfig:
    """Data set or path, images as sequences, and the validation part.

    name: "mnist" to classify, or "images" for your own; a text's name to generate (carousel data
        list), or "text" for a file and "lines" for a folder of your own, which `path` names; for
        other tasks see the task's page in docs/tasks.
    path: the file or folder of your own data; empty for a published set.
    test: a file or folder of the same kind that judges; empty: a share of `path` does.
    view: how an image is read, such as one of 28 x 28: "rows" (28 steps of 28), "pixels" (784 steps
        of 1), "patches" (squares, row by row: 49 steps of 4 x 4), "image" (1 step of 784). A pixel
        of a coloured one is three numbers.
    patch: pixels of a side of a patch; what is lacking at the right and below is filled up.
    permutation: read the pixels of every image in one shuffled order, that of NumPy's
        RandomState(permutation).permutation(784) (0: in their own order).
    scaling: "standard" (zero mean, unit deviation over the training part) or "unit" ([0, 1]).
    validation: how many images of the published set are held out to choose the best epoch; or, of
        your own data, a file or folder of the same kind that chooses it, in place of a share of
        `path`.
    split_seed: of the random draw that holds examples out, and of scenes that are made.
    shuffle: how sequences of a table are put in order, anew in each epoch: "all" at once; in
        "blocks" of 64 MB that follow each other on the disk, 16 at a time, so that what is larger
        than memory is not read at random; or "auto": blocks of an imported table that is larger
        than half of the memory, which the run then notes here.
    train_limit: use only so many training images, or tokens of a text (0: all).
    shift: move each training image by up to so many pixels in x and y, drawn anew each epoch; what
        comes in is black, of images of your own like the edge.
    fold: which tenth judges, of a set that has no split of its own and is cross-validated.
    hold_out: a speaker, or another group of recordings, that judges in place of the usual test
        part (see docs/tasks/classify_recordings.md).
    test_head: also report the accuracy on the first so many test images (0: do not).
    """

    name: str = "mnist"
    path: str = key("", tasks=groups.OWN)
    test: str = key("", tasks=groups.OWN)
    view: str = key("rows", choices=("rows", "pixels", "patches", "image"), tasks=groups.IMAGES)
    patch: int = key(4, low=1, high=64, tasks=groups.IMAGES, when=("data.view=patches",))
    permutation: int = key(0, low=0, high=2**32 - 1, tasks=groups.IMAGES)
    scaling: str = key("standard", choices=("standard", "unit"), tasks=groups.IMAGES)
    validation: int | str = key(
        5000,
        low=1,
        tasks=groups.OWN,
        by_kind={
            int: {"classify": "data.name=mnist", "caption": "data.name=digit-scenes"},
            str: groups.OWN,
        },
        of_set=DROPPED,
    )
    split_seed: int = key(0, low=0, tasks=groups.DRAWN)
    shuffle: str = key(
        "auto",
        choices=("auto", "all", "blocks"),
        tasks=dict.fromkeys((*groups.RECORDINGS, "classify_text"), "data.name=table"),
    )
    train_limit: int = key(0, low=0, tasks=groups.LIMITED, of_set=DROPPED)
    shift: int = key(0, low=0, high=8, tasks=groups.IMAGES)
    fold: int = key(0, low=0, high=9, tasks=("classify_text",), of_set=DROPPED)
    hold_out: str = key("", tasks=("classify_recordings",), of_set=DROPPED)
    test_head: int = key(0, low=0, tasks=groups.IMAGES, of_set=DROPPED)

    @property
    def files(self) -> dict[str, str]:
        """Files or folders of one's own for the validation and the test part, by part."""
        found = {"validation": self.validation, "test": self.test}
        return {part: path for part, path in found.items() if isinstance(path, str) and path}

    @property
    def images(self) -> int:
        """Training images that are held out to choose the best epoch."""
        return self.validation if isinstance(self.validation, int) else 5000


@dataclass(frozen=True)
class TextConfig:
    """Tokens of a text, its held-out parts, and the length of truncated backpropagation.

    level: a token is a "word" (of a running text: what stands between white space, and a line
        break is the word <eos>; of sentences: a word or a punctuation mark), a "character", or, of
        sentences, a "jamo" (a letter of Hangul) or a "subword" (byte-pair encoding).
    lowercase: read sentences in lower case.
    features: what is known of each word that is to be labelled, with commas between: "word",
        "shape" (capitals, digits, signs), "prefix" and "suffix" (its first or last 3 letters).
    characters: letters of each word that are read beside the word itself: "none", each "character",
        or each "jamo" (the letters of Hangul); a word that the training part lacks has letters too.
    longest_word: letters of a word that are read, the first ones.
    tag: column of a file of labelled words with a tag of each word that is read too, such as its
        part of speech: by number from 1 or by name; empty: none.
    word, label: columns of a file of labelled words, by number from 1 or, of CoNLL-U, by name, such
        as "FORM" and "XPOS"; empty: the first and the last one, of CoNLL-U FORM and UPOS.
    min_count, max_vocabulary: rarer words of the training part, and all but the most frequent
        ones (0: no limit), become <unk>; so does, later, whatever the training part lacks.
    validation, test: shares held out, of a set that has no split of its own: the end of a text,
        first validation, then test; for labelled lines a random draw by `data.split_seed`.
    bptt: steps that gradients go back: the text is cut into windows of so many tokens, and the
        state is carried from each to the next (truncated backpropagation through time).
    loss_scale: what is differentiated: the "mean" loss of a window's tokens, or, in "steps", the
        sum over its steps of the mean over the batch: Zaremba's scale, bptt times as large.
    """

    level: str = key("word", choices=("word", "character", "jamo", "subword"), tasks=groups.CUT)
    lowercase: bool = key(False, tasks=groups.CASED)
    features: str = key("word", tasks=("label_words",))
    characters: str = key("none", choices=("none", "character", "jamo"), tasks=groups.SPELLED)
    longest_word: int = key(20, low=1, high=100, when=("text.characters!=none",))
    tag: str = key("", tasks={"label_words": "data.name=columns|conll2000"}, of_set=DROPPED)
    word: str = key("", tasks={"label_words": "data.name=columns"}, of_set=DROPPED)
    label: str = key("", tasks={"label_words": "data.name=columns"}, of_set=DROPPED)
    min_count: int = key(1, low=1, tasks=groups.SENTENCES, of_set=KEPT)
    max_vocabulary: int = key(0, low=0, tasks=groups.SENTENCES, of_set=KEPT)
    validation: float = key(0.05, above=0, high=0.5, tasks=groups.SENTENCES)
    test: float = key(0.05, above=0, high=0.5, tasks=groups.SENTENCES)
    bptt: int = key(35, low=1, tasks=("generate",))
    loss_scale: str = key("mean", choices=("mean", "steps"), tasks=("generate",))


@dataclass(frozen=True)
class FramesConfig:
    """Reading of recordings with a label or a number per frame.

    window: frames of a training window, drawn anew each epoch (0: whole recordings). Recordings
        are always judged whole.
    passes: how many times an epoch draws the windows of each recording: more where recordings are
        few, so that not every few steps are followed by a validation.
    differences: give the network x_t - x_{t-1} beside x_t.
    noise: standard deviation of Gaussian noise on the scaled values, in training.
    validation, test: shares of the recordings of a folder of your own, at least one of each.
    """

    window: int = key(0, low=0, tasks=groups.FRAMES, of_set=KEPT)
    passes: int = key(1, low=1, tasks=groups.FRAMES, of_set=KEPT)
    differences: bool = key(False, when=("data.name!=moving-digits",), of_set=KEPT)
    noise: float = key(0.0, low=0, of_set=DROPPED)
    validation: float = key(0.2, above=0, high=0.5)
    test: float = key(0.2, above=0, high=0.5)


@dataclass(frozen=True)
class SoundConfig:
    """Features of a sound (see carousel.data.files.sounds).

    rate: samples a second; a file of another rate is resampled.
    window, hop: milliseconds that a step looks at, and from step to step.
    mels: features of a step.
    lowest: Hz below which nothing is heard.
    level: take the mean of a recording's features off them, so that loudness does not matter.
    """

    rate: int = key(8000, low=1000, high=192_000)
    window: float = key(32.0, above=0, high=1000)
    hop: float = key(10.0, above=0, high=1000)
    mels: int = key(40, low=1, high=256)
    lowest: float = key(50.0, low=0)
    level: bool = True


@dataclass(frozen=True)
class ScenesConfig:
    """Films and pictures that are made of MNIST digits, with `data.split_seed`.

    count, held: how many to train on, and how many each to validate and to judge.
    side: pixels of the canvas, up and across.
    """

    count: int = key(600, low=1, of_set=DROPPED)
    held: int = key(100, low=1, of_set=DROPPED)
    side: int = key(32, low=16, high=256, of_set=DROPPED)


@dataclass(frozen=True)
class PicturesConfig:
    """Reading of image files: any size and kind, fitted into one size.

    side: pixels of the square, up and across; black stands beside what is no square.
    color: three channels, red, green and blue; else one, grey.
    features: a file of numbers in place of images, .npz or .safetensors in the folder: an array for
        each image by its name, all of one shape, (F,), (S, F) for S places, or (h, w, F).
    size: to classify: "28" for a square, "32x100" for 32 pixels up and 100 across, or "auto": the
        size that most images of the training part have, else the median; at most 64 up or across.
    channels: to classify: "grey", "color", or "auto": color if an image of the training part has
        any.
    fit: how an image of another size gets there: "pad" shows all of it, with black beside; "crop"
        cuts off what is too much at both ends; "stretch" changes its shape.
    validation, test: shares of the images that are held out, of each class by itself, where files
        or folders do not say who validates and who judges.
    """

    side: int = key(96, low=8, high=512, tasks=CAPTIONED, when=("pictures.features=",))
    color: bool = key(True, tasks=CAPTIONED, when=("pictures.features=",))
    features: str = key("", tasks=CAPTIONED, of_set=DROPPED)
    size: str = key("auto", tasks=OWN_IMAGES)
    channels: str = key("auto", choices=("auto", "grey", "color"), tasks=OWN_IMAGES)
    fit: str = key("pad", choices=("pad", "crop", "stretch"), tasks=OWN_IMAGES)
    validation: float = key(0.15, above=0, high=0.5, tasks=OWN_IMAGES)
    test: float = key(0.15, above=0, high=0.5, tasks=OWN_IMAGES)
