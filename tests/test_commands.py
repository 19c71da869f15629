"""Whatever command a message prints can be pasted into a shell, with blanks in its paths or not."""

import re
import shlex
from pathlib import Path

import pytest
from small import small_config
from written import Written

from carousel import bundle, training
from carousel.coach.rules import RULES
from carousel.errors import RunError, command
from carousel.run.writing import EventStore
from carousel.runs.store import Store
from carousel.training.checkpoint import save
from carousel.training.loop import Interrupted
from carousel.training.new_run import new_run

SOURCES = Path(bundle.__file__).parent


def test_a_command_is_read_by_a_shell_as_it_was_meant():
    for path in ("runs/a", "my runs/it's $HOME", "-x;rm"):
        assert shlex.split(command("train", "--resume", path)) == [
            "carousel", "train", "--resume", path,
        ]  # fmt: skip


def test_no_message_puts_a_path_into_a_command_by_itself():
    """All go through `command`, which quotes; recipes through `recipe_of`."""
    by_hand = re.compile(r'f"[^"]*carousel (?:train|evaluate|predict|inspect|coach)[^"]*\{')
    found = [
        f"{file.name}: {line.strip()}"
        for file in SOURCES.rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if by_hand.search(line)
    ]
    assert not found


@pytest.fixture
def blank(tmp_path):
    return tmp_path / "my runs" / "a b"


def pasted(error):
    """The path in the command that a message ends with."""
    return shlex.split(re.search(r"carousel train .*", str(error))[0].split(" continues")[0])[-1]


def test_messages_on_a_run_whose_path_has_blanks_quote_it(blank):
    new_run(blank, small_config(), seed=0, threads=1, device="cpu")
    with pytest.raises(RunError, match="not empty") as caught:
        new_run(blank, small_config(), seed=0, threads=1, device="cpu")
    assert pasted(caught.value) == str(blank)
    with pytest.raises(RunError, match="no model yet") as caught:
        bundle.load(blank)
    assert pasted(caught.value) == str(blank)
    assert pasted(Interrupted(blank)) == str(blank)
    with EventStore(blank / "events.sqlite") as store:
        store.event(1, Written("interrupted"))
    assert pasted(Store(blank.parent).run(blank.name).why) == str(blank)


def test_the_next_command_and_the_way_to_repeat_a_finished_run_are_quoted(trained, blank, carousel):
    settings = [f"--set={s}" for s in ("data.train_limit=64", "data.validation=32")]
    code, out, _ = carousel(
        "train", "mnist-rows", *settings, "--set=training.epochs=1", "--run-dir", blank
    )
    assert code == 0
    assert shlex.split(out.splitlines()[-1]) == ["next:", "carousel", "evaluate", str(blank)]
    with pytest.raises(RunError, match="is finished") as caught:
        training.resume(blank)
    assert pasted(caught.value) == str(blank / "config.toml")


def test_only_a_run_that_can_go_on_is_told_to(trained, run, tmp_path):
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "a.jpg").touch()
    for folder, says in ((foreign, "something else than a run"), (run, "that is finished")):
        with pytest.raises(RunError, match=says) as caught:
            new_run(folder, small_config(), seed=0, threads=1, device="cpu")
        assert "--resume" not in str(caught.value)
        assert "name a new folder" in str(caught.value)


def test_only_training_tells_to_resume_where_the_events_cannot_be_written(tmp_path):
    store = tmp_path / "events.sqlite"
    store.write_bytes(b"no database" * 100)
    with pytest.raises(RunError, match="cannot be used") as caught:
        EventStore(store)
    assert "carousel" not in str(caught.value)
    with pytest.raises(RunError, match="mend that, then: carousel train --resume x"):
        EventStore(store, command("train", "--resume", "x"))


def test_evaluating_in_a_folder_that_cannot_be_written_to_says_so_before_it_looks(
    run, monkeypatch, carousel
):
    def refuse(**where):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    monkeypatch.setattr(
        bundle, "note_use_of_test", lambda *_: pytest.fail("the test part was used")
    )
    code, _, err = carousel("evaluate", run)
    assert code == 2
    assert f"{run} cannot be written to (Read-only file system)" in err
    assert "copy it and evaluate the copy" in err
    assert "--resume" not in err


def test_a_checkpoint_that_cannot_be_written_quotes_the_run(blank):
    blank.mkdir(parents=True)
    (blank / "checkpoints").write_text("a file where the folder should be")
    with pytest.raises(RunError, match="could not be written") as caught:
        save(blank / "checkpoints", 1, {}, {})
    assert pasted(caught.value) == str(blank)


def test_advice_names_a_recipe_of_ones_own_by_the_configuration_of_its_run():
    own = small_config("recipe.name='my own'")
    known = small_config("recipe.name=mnist-rows")
    for config, line in (
        (own, "carousel lr-range 'runs/my own/config.toml'"),
        (known, "carousel lr-range mnist-rows"),
    ):
        rule = RULES["learning-rate-range"]
        found = rule.finding({"rate": 0.5, "optimizer": "adam"}, config=config, run="runs/my own")
        assert line in [advice.do for advice in found.advice]
