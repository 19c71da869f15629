"""Multi30k, with its own three parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.sentence_pairs import Parallel

SOURCE = Source(
    "Multi30k: 31,014 captions in English, German and French",
    "CC BY-NC-SA 4.0 according to its paper",
    "Elliott et al. 2016, 2017",
    "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/",
    {
        "test_2016_flickr.de": ("4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16"),
        "test_2016_flickr.en": ("399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182"),
        "test_2016_flickr.fr": ("cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6"),
        "train.de": "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
        "train.en": "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
        "train.fr": "5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d",
        "val.de": "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
        "val.en": "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
        "val.fr": "5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc",
    },
    compressed=".gz",
)

_LANGUAGES = ("de", "en", "fr")
_FILES = {"train": "train", "validation": "val", "test": "test_2016_flickr"}


def read(config: Config) -> Parallel:
    """The parts, in the two languages that are asked for. Raises `ConfigError`."""
    from carousel.data.files.pairs import aligned
    from carousel.data.sentence_pairs import Pairs, Parallel, check_languages

    check_languages(_LANGUAGES, config)
    languages = (config.translate.source, config.translate.target)

    def part(name: str) -> Pairs:
        files = [f"{_FILES[name]}.{language}" for language in languages]
        one, other = (sources.text("multi30k", file) for file in files)
        return Pairs.of(aligned(one, other, *files))

    return Parallel(part("train"), part("validation"), lambda: part("test"))


READERS = {"translate": {"multi30k": read}}
