"""Origin of a published data set: its home, its terms, the SHA-256 of what it holds."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """A published data set. files: the SHA-256 of each one's content; home + name is its address.

    terms: what its licence says, in a few words. about: page with details.
    compressed: what the names of the files at home end with besides, such as ".gz".
    packed: the same of files that come in an archive; archives: the names it may have, the first
        of which is at home. An archive counts by what is in it, not by its own bytes.
    suffix, digest: of an archive of very many files, which of them belong to the set, and one
        SHA-256 for them all (see `carousel.data.sources.read_all`).
    """

    title: str
    terms: str
    about: str
    home: str
    files: dict[str, str] = field(default_factory=dict)
    archives: tuple[str, ...] = ()
    packed: dict[str, str] = field(default_factory=dict)
    suffix: str = ""
    digest: str = ""
    compressed: str = ""

    @property
    def contents(self) -> dict[str, str]:
        """The SHA-256 of every file, wherever it comes in."""
        return {**self.files, **self.packed}
