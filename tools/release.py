"""Makes the files say a new version: `python tools/release.py 0.2.0`.

Writes it into pyproject.toml and CITATION.cff, and gives the changes under Unreleased its heading.
Builds, commits and uploads nothing: prints what is to be run next.
"""

from __future__ import annotations

import datetime
import re
import sys
from pathlib import Path

_VERSION = re.compile(r'^(version(?: =|:) "?)(\d+\.\d+\.\d+)("?)$', re.MULTILINE)
_HEADING = "## [Unreleased]\n"
_NEXT = """\
make test-all check sanitize wheel test-wheel test-floor sdist
git commit --all --message 'Version {version}' && git tag v{version}
git push --follow-tags    # .github/workflows/wheels.yml builds the wheels of the other platforms
"""


def release(folder: Path, version: str, today: datetime.date) -> None:
    """Write a version into the files of a folder.

    Raises SystemExit, with nothing written, if it is no later version than that of today, or no
    change stands under Unreleased.
    """
    project, citation, changes = (
        folder / name for name in ("pyproject.toml", "CITATION.cff", "CHANGELOG.md")
    )
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        sys.exit(f"a version is three numbers, such as 0.2.0, not {version}")
    now = _version_of(project)
    if _key(version) <= _key(now):
        sys.exit(f"{version} is not later than {now}")
    text = changes.read_text()
    start = text.find(_HEADING) + len(_HEADING)
    end = text.find("\n## [", start)
    news = text[start : end if end > 0 else None]
    if text.count(_HEADING) != 1 or "\n- " not in news:
        sys.exit(f"{changes.name} has no change under Unreleased")
    headed = f"{_HEADING}\n## [{version}] - {today}\n"
    changes.write_text(text.replace(_HEADING, headed))
    project.write_text(_VERSION.sub(rf"\g<1>{version}\g<3>", project.read_text(), count=1))
    cited = _VERSION.sub(rf"\g<1>{version}\g<3>", citation.read_text(), count=1)
    dated = re.sub(r"^date-released: .*\n", "", cited, flags=re.MULTILINE)
    citation.write_text(f"{dated.rstrip()}\ndate-released: {today}\n")


def _version_of(project: Path) -> str:
    found = _VERSION.search(project.read_text())
    if found is None:
        sys.exit(f"{project} states no version of three numbers")
    return found[2]


def _key(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/release.py VERSION")
    release(Path(), sys.argv[1], datetime.datetime.now(datetime.UTC).date())
    print(_NEXT.format(version=sys.argv[1]), end="")
