"""--json of every verb prints what docs/json.md says, and nothing else on standard output."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import typer
from json_output import check
from made_up import everything
from small import SETTINGS

from carousel import cli
from carousel.cli import json_page

ROOT = Path(__file__).parent.parent
SMALL = [part for setting in SETTINGS for part in ("--set", setting)]
SILENT = {"completion"}  # prints a script, which is no report


def commands():
    app = typer.main.get_command(cli.app)
    for name, command in app.commands.items():
        below = getattr(command, "commands", None)
        yield from ((f"{name} {n}", c) for n, c in below.items()) if below else [(name, command)]


def test_every_verb_that_reports_has_json_and_a_schema():
    with_json = {n for n, c in commands() if any("--json" in p.opts for p in c.params)}
    assert with_json == {name for name, _ in commands()} - SILENT
    assert with_json == set(json_page.verbs())


def test_the_page_is_what_the_schemas_say():
    written = (ROOT / "docs/json.md").read_text(encoding="utf-8")
    assert written == json_page.page(), "python -m carousel.cli.json_page docs/json.md"


@pytest.mark.parametrize("verb", json_page.verbs())
def test_a_schema_is_a_schema_and_every_part_of_it_is_there(verb):
    jsonschema.Draft202012Validator.check_schema(json_page.schema(verb))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(17, json_page.schema(verb))


def test_a_key_that_is_not_documented_or_lacks_is_found():
    place = {"name": "mnist", "where": "/data"}
    check(["data", "path", "mnist", "--json"], 0, json.dumps(place))
    for wrong in ({**place, "more": 1}, {"name": "mnist"}, {**place, "where": None}):
        with pytest.raises(AssertionError, match="not what its schema says"):
            check(["data", "path", "mnist", "--json"], 0, json.dumps(wrong))


@pytest.mark.parametrize(
    "arguments",
    [
        ["recipes"],
        ["recipes", "mnist-rows"],
        ["data", "list"],
        ["doctor"],
        ["init", "pumps.csv", "--target", "state"],
        ["check", "mnist-rows", "--seconds", "0.1", *SMALL],
        ["train", "mnist-rows", *SMALL, "--set", "training.epochs=1", "--run-dir", "new"],
        ["lr-range", "mnist-rows", "--steps", "20", *SMALL],
        ["evaluate", "RUN"],
        ["predict", "RUN", "digit.png"],
        ["predict", "RUN", "digits", "--out", "answers.csv"],
        ["export", "RUN", "digits.onnx"],
        ["inspect", "RUN"],
        ["report", "RUN"],
        ["coach", "RUN"],
        ["compare", "RUN", "OTHER"],
        ["export-tensorboard", "RUN"],
        ["bench", "--from", "found.json"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_json_is_all_of_standard_output_and_as_documented(
    carousel, trained, run, inputs, arguments
):
    given = [{"RUN": str(run), "OTHER": str(trained.path)}.get(a, a) for a in arguments]
    code, out, err = carousel(*given, "--json")  # which holds it to the schema
    assert code in (0, 1), err
    assert isinstance(json.loads(out), dict | list)
    assert all(line.startswith("carousel: ") for line in err.splitlines()) or "train" in given


@pytest.fixture
def inputs(tmp_path):
    """Files for the verbs that read some, in the folder that they run in."""
    from PIL import Image

    rows = ["pump,at,flow,state"]
    for pump in range(20):
        state = ("worn", "good")[pump % 2]
        rows += [f"p{pump},{at},{at * 0.5 + pump % 2},{state}" for at in range(6)]
    (tmp_path / "pumps.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "digits").mkdir()
    for path in ("digit.png", "digits/a.png", "digits/b.png"):
        Image.new("L", (28, 28), 0).save(tmp_path / path)
    everything().write(tmp_path / "found.json")


def test_the_board_says_where_it_is_in_json(tmp_path):
    command = [sys.executable, "-m", "carousel", "board", ".", "--port=0", "--no-browser", "--json"]
    command += ["--until-input-ends"]  # a signal that comes while a server sets up can be lost
    pipe = subprocess.PIPE
    board = subprocess.Popen(command, cwd=tmp_path, stdin=pipe, stdout=pipe, text=True)
    assert board.stdout is not None
    try:
        lines = []
        while not lines or lines[-1] != "}\n":
            lines.append(board.stdout.readline())
            assert lines[-1], "the board ended"
    finally:
        board.communicate(timeout=60)
    check(["board", "--json"], 0, "".join(lines))
    assert json.loads("".join(lines))["url"].startswith("http://127.0.0.1:")
