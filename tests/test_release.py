"""The files that state the version agree, and the release script moves all of them."""

import datetime
import importlib.util
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

HOME = Path(__file__).parents[1]
FILES = ["pyproject.toml", "CITATION.cff", "CHANGELOG.md"]
TODAY = datetime.date(2030, 1, 2)


def script(name):
    spec = importlib.util.spec_from_file_location("script", HOME / "tools" / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def release():
    return script("release.py").release


@pytest.fixture
def copy(tmp_path):
    for name in FILES:
        shutil.copy(HOME / name, tmp_path / name)
    return tmp_path


def stated(folder):
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"]
    return project, str(yaml.safe_load((folder / "CITATION.cff").read_text())["version"])


def test_the_citation_has_the_version_of_the_project():
    project, cited = stated(HOME)
    assert project == cited


def test_a_release_is_stated_in_every_file_and_keeps_every_change(release, copy):
    before = (copy / "CHANGELOG.md").read_text()
    release(copy, "99.1.0", TODAY)
    assert stated(copy) == ("99.1.0", "99.1.0")
    assert str(yaml.safe_load((copy / "CITATION.cff").read_text())["date-released"]) == str(TODAY)
    after = (copy / "CHANGELOG.md").read_text()
    heading = "\n## [99.1.0] - 2030-01-02\n"
    assert after.index("## [Unreleased]") < after.index(heading)
    assert after.replace(heading, "", 1) == before


def test_a_second_release_needs_a_change_of_its_own(release, copy):
    release(copy, "99.1.0", TODAY)
    with pytest.raises(SystemExit, match="no change under Unreleased"):
        release(copy, "99.2.0", TODAY)


@pytest.mark.parametrize("version", ["0.0.1", "1", "99.0.0rc1"])
def test_what_is_no_later_version_changes_nothing(release, copy, version):
    before = [(copy / name).read_bytes() for name in FILES]
    with pytest.raises(SystemExit, match=r"not later|three numbers"):
        release(copy, version, TODAY)
    assert [(copy / name).read_bytes() for name in FILES] == before


@pytest.mark.parametrize("path", sorted((HOME / ".github").rglob("*.yml")), ids=lambda p: p.stem)
def test_forms_and_workflows_are_yaml_that_says_something(path):
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_the_workflow_of_wheels_tests_with_what_the_check_of_the_wheel_installs():
    text = (HOME / ".github" / "workflows" / "wheels.yml").read_text(encoding="utf-8")
    steps = yaml.safe_load(text)["jobs"]["wheel"]["steps"]
    (required,) = (step["env"]["CIBW_TEST_REQUIRES"] for step in steps if "env" in step)
    assert set(required.split()) == set(script("wheel/check.py").HARNESS)
