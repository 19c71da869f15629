"""What is made ready is what a run has, and data that changed since are noticed."""

import pytest
import torch
from small import small_config
from small_text import text_config, write_text

from carousel.data.record import UNVERIFIED, DataChangedError
from carousel.errors import ConfigError
from carousel.run.layout import RunFolder
from carousel.training import lr_range, train
from carousel.training.preparation import Preparation, using_threads


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on a text of one's own."""
    folder = tmp_path_factory.mktemp("text")
    config = text_config(write_text(folder), "training.epochs=1", "training.max_steps=3")
    return train(config, seed=4, run_dir=folder / "run", quiet=True).path


@pytest.fixture
def changed(run):
    """The same run; its text has lost a line, until the test is over."""
    text = run.parent / "text.txt"
    before = text.read_text()
    text.write_text(before.split("\n", 1)[1])
    yield run
    text.write_text(before)


def test_a_run_its_file_and_its_configuration_are_made_ready_alike(run):
    opened = RunFolder.open(run)
    ready = [Preparation.of(s) for s in (opened, str(run / "config.toml"))]
    assert ready[0].config == ready[1].config == opened.config
    assert [one.seed for one in ready] == [4, 4]
    assert Preparation.of(opened.config).seed == 0
    assert Preparation.of(opened, seed=6).seed == 6


def test_a_path_is_whole_so_that_a_run_can_be_resumed_from_elsewhere(run, monkeypatch):
    monkeypatch.chdir(run.parent)
    ready = Preparation.of(small_config().override(["task=generate", "data.path=text.txt"]))
    assert ready.config.data.path == str(run.parent / "text.txt")


def test_the_network_begins_as_that_of_a_run_with_the_seed():
    ready = Preparation.of(small_config(), seed=3)
    torch.manual_seed(3)
    expected = ready.task().build_model()
    for ours, theirs in zip(
        ready.model(ready.task()).parameters(), expected.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_data_as_they_were_are_no_news(run):
    for source in (RunFolder.open(run), str(run / "config.toml")):
        ready = Preparation.of(source, ["optimizer.learning_rate=0.5"])
        assert ready.record is not None
        assert ready.changes(ready.task()) == ""
    assert lr_range.start(str(run)).notice == ""


def test_the_range_test_of_a_run_refuses_data_that_changed(changed):
    for fresh in (True, False):
        with pytest.raises(DataChangedError, match=r"text\.txt is not what was trained on"):
            lr_range.start(str(changed), fresh=fresh)


def test_commands_on_a_runs_settings_say_that_its_data_changed(changed, carousel):
    settings = changed / "config.toml"
    for command in (
        ["check", settings, "--seconds", "0.1"],
        ["lr-range", settings, "--steps", "20", "--out", changed / "picture.png"],
    ):
        code, _, err = carousel(*command)
        assert code in (0, 1)
        assert "text.txt is not what was trained on" in err


def test_other_data_that_were_asked_for_are_not_compared(changed, tmp_path):
    other = write_text(tmp_path, seed=1)
    ready = Preparation.of(str(changed / "config.toml"), [f"data.path='{other}'"])
    assert ready.record is None
    assert ready.changes(ready.task()) == ""


def test_a_run_without_a_record_of_its_data_says_so(run):
    record = run / "data.json"
    content = record.read_text()
    record.unlink()
    try:
        assert lr_range.start(str(run)).notice == UNVERIFIED.format(run=run)
    finally:
        record.write_text(content)


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_that_cannot_be_one_is_refused(seed):
    with pytest.raises(ConfigError, match="the seed must lie between 0 and"):
        Preparation.of(small_config(), seed=seed)


def test_threads_are_put_back_whatever_happens():
    before = torch.get_num_threads()
    with using_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    with pytest.raises(ZeroDivisionError), using_threads(before + 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == before
    with pytest.raises(ConfigError, match="at least 1, got 0"), using_threads(0):
        pass
