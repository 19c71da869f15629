"""Flickr8k, its first 1,000 images, in its official parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.captioned import CaptionedImages

SOURCE = Source(
    "Flickr8k, its first 1,000 images at 128 pixels, 5 English captions each",
    "non-commercial research; the photographs belong to their authors",
    "Hodosh et al. 2013",
    "https://hockenmaier.cs.illinois.edu/",  # asks who one is: nothing is fetched from it
    {
        "captions.txt": "2e68c3e276f88a5193bf14b6dfac49db12a449fb7f988405875d9d16fed7d608",
        "trainImages.txt": ("438ec5a8358a57b98a55d4b30903caef4977e36a33f52ea8df978f9fc96c3cef"),
        "devImages.txt": "b66a46d8528e074b5d9b4cb85fe37cd8b6de0da248e0d1b11c89979545e981ec",
        "testImages.txt": ("2d26d1d89c87a1acfac00025ec235e5fc218283b489cbf9325640fdac040b36d"),
    },
    archives=("images_128.zip",),
    suffix=".jpg",
    digest="caeb284aa3f66bfea423800b6f0bd87755a23f24026f4c48ffc7bd9c679daa36",
)

_LISTS = {"train": "trainImages.txt", "validation": "devImages.txt", "test": "testImages.txt"}


def read(config: Config) -> CaptionedImages:
    """The parts; the images of the test part are read when it is asked for."""
    from carousel.data.captioned import Captioned, CaptionedImages, gather
    from carousel.data.files.captions import read_captions

    captions = read_captions(sources.text("flickr8k-1k", "captions.txt"), "captions.txt")
    split = {part: sources.text("flickr8k-1k", file).split() for part, file in _LISTS.items()}
    in_no_part = len(set(captions) - {name for names in split.values() for name in names})
    unreadable: dict[str, int] = {}

    def part(name: str) -> Captioned:
        contents = sources.read_all("flickr8k-1k")
        wanted = {image: captions[image] for image in split[name] if image in contents}
        return gather(name, wanted, contents.__getitem__, config.pictures, unreadable)

    return CaptionedImages(
        part("train"), part("validation"), lambda: part("test"), unreadable, in_no_part
    )


READERS = {"caption": {"flickr8k-1k": read}}
