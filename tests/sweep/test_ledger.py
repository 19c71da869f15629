"""Who works on which trial: no two on one, none lost with its worker."""

import shutil
from dataclasses import replace

import optuna
import pytest
import tomli_w
from small import small_config

from carousel.errors import RunError
from carousel.sweep import sampling, worker_lock
from carousel.sweep.ledger import Ledger, Patience
from carousel.sweep.plan import Plan
from carousel.sweep.space import parse

GRID = ("model.hidden_size=8,16,32", "model.cell=gru,lstm")


def plan(over=GRID, sampler="grid", pruner="none", seed=1):
    config = small_config()
    return Plan(config, parse(over, config), sampler, pruner, "accuracy", True, 9, seed)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sweep").mkdir()
    return tmp_path / "sweep"


def ledger(folder, made=None, **patience):
    return Ledger(made or plan(), folder / "journal.log", "s", folder, Patience(**patience))


def test_two_that_take_turns_share_the_points_of_a_grid(folder):
    one, other = ledger(folder), ledger(folder)
    with worker_lock.alive(folder) as lock:
        claims = [(one, other)[n % 2].claim(6, lock) for n in range(6)]
        assert one.claim(6, lock) is None
        assert other.claim(6, lock) is None
    points = {tuple(sorted(claim.values.items())) for claim in claims}
    assert len(points) == 6


def test_draws_follow_from_seed_and_number_whoever_draws(folder, tmp_path):
    over = ("optimizer.learning_rate=1e-4:1e-1:log",)
    made, elsewhere = plan(over, "random"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    one, other, alone = ledger(folder, made), ledger(folder, made), ledger(elsewhere, made)
    together = [(one, other)[n % 2].claim(5, "").values for n in range(5)]
    assert together == [alone.claim(5, "").values for _ in range(5)]
    assert len({str(values) for values in together}) == 5


def test_the_recipe_as_it_is_comes_first(folder):
    made = plan(("model.hidden_size=6,12",), "tpe")
    assert ledger(folder, made).claim(3, "").values == {"model.hidden_size": 12}


def test_a_trial_of_a_worker_of_this_machine_that_died_is_taken_again_at_once(folder):
    with worker_lock.alive(folder) as lock:
        lost = ledger(folder).claim(6, lock)
        assert ledger(folder).recover() == []
    again = ledger(folder).claim(6, "")
    assert (again.values, again.run) == (lost.values, lost.run)
    assert again.number != lost.number


def test_a_trial_of_another_machine_is_taken_again_when_it_gives_no_sign_of_life(
    folder, monkeypatch
):
    monkeypatch.setattr(worker_lock, "here", lambda folder: "another machine")
    lost = ledger(folder).claim(6, "its.lock")
    monkeypatch.undo()
    watching = ledger(folder, lost=0.0)
    assert watching.recover() == []  # seen for the first time
    lost.trial.set_user_attr("beat", 1)
    assert watching.recover() == []  # it lives
    assert watching.recover() == [lost.number]
    assert watching.claim(6, "").values == lost.values


def test_only_one_of_those_who_notice_takes_it(folder):
    with worker_lock.alive(folder) as lock:
        ledger(folder).claim(6, lock)
    found = [ledger(folder).recover(), ledger(folder).recover()]
    assert found == [[0], []]


def test_a_trial_that_was_taken_again_is_one_of_those_asked_for_and_no_more(folder):
    with worker_lock.alive(folder) as lock:
        ledger(folder).claim(2, lock)
    book = ledger(folder)
    claims = [book.claim(2, ""), book.claim(2, "")]
    assert None not in claims
    assert book.claim(2, "") is None
    for claim in claims:
        book.ended(claim, 0.5)
    assert book.is_done(2)


def test_a_worker_held_for_dead_that_was_not_changes_nothing_any_more(folder):
    with worker_lock.alive(folder) as lock:
        slow = ledger(folder)
        claim = slow.claim(6, lock)
    again = ledger(folder).claim(6, "")
    slow.ended(claim, 0.1)
    book = ledger(folder)
    book.ended(again, 0.9)
    assert [t.value for t in book.trials() if t.value is not None] == [0.9]


def test_a_line_of_the_journal_that_was_never_written_whole_is_cut_off(folder):
    book = ledger(folder)
    book.claim(6, "")
    with (folder / "journal.log").open("ab") as file:
        file.write(b'{"op_code":5,"worker_id":"')
    other = ledger(folder)
    assert other.claim(6, "").number == 1
    assert len(ledger(folder).trials()) == 2


def test_a_sweep_over_other_settings_is_refused_in_words(folder):
    ledger(folder)
    with pytest.raises(RunError, match="is another one: seed is 2 here and 1 there") as error:
        ledger(folder, plan(seed=2))
    assert error.value.arguments == ("run_dir",)
    other = plan()
    config = other.config.override({"optimizer.learning_rate": 0.5, "model.num_layers": 2})
    with pytest.raises(RunError, match=r"model.num_layers is 2 here and 1 there") as error:
        ledger(folder, replace(other, config=config))
    assert "optimizer.learning_rate is 0.5 here" in str(error.value)
    with pytest.raises(RunError, match=r"over model.hidden_size.values is \[8, 16\] here"):
        ledger(folder, plan(("model.hidden_size=8,16", "model.cell=gru,lstm")))


def older(config):
    """A configuration as a version had it that knew neither zoneout nor averaging, and less of what
    stands in groups."""
    found = config.to_dict()
    del found["regularization"]["zoneout"], found["averaging"]
    del found["regularization"]["max_norm"]["head"], found["coach"]["thresholds"]
    return found


def begun_by_an_older_version(monkeypatch, folder, *, with_plan):
    """A sweep with a trial, whose version knew fewer settings and perhaps wrote no plan down."""
    facts = Plan.facts.fget
    with monkeypatch.context() as patch:
        patch.setattr(
            Plan,
            "facts",
            property(
                lambda self: {
                    **facts(self),
                    "config": older(self.config) | {"recipe": {}, "data": self.data},
                }
            ),
        )
        if not with_plan:
            patch.setattr("carousel.sweep.ledger._FACTS", "nobody reads this")
        book = ledger(folder)
        claim = book.claim(6, "")
        book.ended(claim, 0.9)
    (folder / claim.run).mkdir()
    text = tomli_w.dumps({"run": {"format": 1}, **older(plan().config)})
    (folder / claim.run / "config.toml").write_text(text)


@pytest.mark.parametrize("with_plan", [True, False])
def test_a_sweep_goes_on_after_an_upgrade_that_brought_new_settings(folder, monkeypatch, with_plan):
    begun_by_an_older_version(monkeypatch, folder, with_plan=with_plan)
    book = ledger(folder)
    assert [trial.value for trial in book.trials()] == [0.9]
    assert book.claim(6, "").number == 1
    new = plan().config.override({"regularization.zoneout": 0.1})
    said = "regularization.zoneout is 0.1 here and absent there" if with_plan else "cannot be told"
    with pytest.raises(RunError, match=said):
        ledger(folder, replace(plan(), config=new))
    with pytest.raises(RunError, match="another run_dir"):
        ledger(folder, plan(seed=2))


def test_a_sweep_of_a_version_whose_settings_nobody_wrote_down_is_refused_in_words(
    folder, monkeypatch
):
    begun_by_an_older_version(monkeypatch, folder, with_plan=False)
    shutil.rmtree(folder / "trial-0000")
    with pytest.raises(RunError, match="begun by a version of Carousel whose settings"):
        ledger(folder)


def test_two_sweeps_live_in_one_storage(folder):
    one = Ledger(plan(), folder / "journal.log", "one", folder)
    other = Ledger(plan(seed=2), folder / "journal.log", "other", folder)
    one.claim(6, "")
    assert len(one.trials()) == 1
    assert other.trials() == []


def test_a_journal_that_cannot_be_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"journal .* cannot be used"):
        Ledger(plan(), tmp_path / "file" / "journal.log", "s", tmp_path)


def test_a_worker_of_this_machine_with_other_folders_is_not_held_for_dead(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"  # another container, whose locks cannot be seen from here
    elsewhere.mkdir()
    with worker_lock.alive(folder) as lock:
        ledger(folder).claim(6, lock)
        other = Ledger(plan(), folder / "journal.log", "s", elsewhere, Patience(lost=0.0))
        assert other.recover() == []  # seen for the first time
        assert other.recover() == [0]  # by its silence


class Killed(BaseException):
    """A worker's end in the middle of something."""


def test_a_waiting_trial_whose_worker_dies_while_it_takes_it_waits_again(folder, monkeypatch):
    with worker_lock.alive(folder) as lock:
        lost = ledger(folder).claim(6, lock)
    watching = ledger(folder)
    assert watching.recover() == [lost.number]

    def die(self, name, distribution):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(optuna.trial.Trial, "_suggest", die)
        with pytest.raises(Killed):
            watching.claim(6, "")
    later = ledger(folder, lost=0.0)
    assert later.recover() == []
    assert later.recover() == [1]
    again = later.claim(6, "")
    assert (again.values, again.run) == (lost.values, lost.run)


def test_a_point_of_a_grid_that_was_drawn_in_vain_is_drawn_again_last(folder):
    book = ledger(folder)
    taken = [book.claim(2, ""), book.claim(2, "")]
    for _ in range(2):  # as where another worker was quicker
        drawn = book.study.ask(sampling.distributions(book.plan))
        book.study.tell(drawn, state=optuna.trial.TrialState.FAIL)
    taken += [ledger(folder).claim(6, "") for _ in range(4)]
    assert len({tuple(sorted(claim.values.items())) for claim in taken}) == 6
    assert book.claim(6, "") is None
