"""A setting names its readers; what nothing would read is refused, and the page says it all."""

import re
from pathlib import Path

import pytest

from carousel import recipes, tasks
from carousel.coach.rules import RULES
from carousel.coach.suggest import fits, settings_of
from carousel.config import Config, refuse_idle, settable_keys
from carousel.config.readers import Condition, idle_settings, settings
from carousel.config.reference import meaning, page
from carousel.errors import ConfigError

DOCS = Path(__file__).parents[1] / "docs"
LINES = {line for rule in RULES.values() for line in rule.do}
CELLS = settings(Config)["model.cell"].limits["choices"]


def test_every_setting_is_described_and_the_page_is_current():
    assert list(settings(Config)) == settable_keys()
    assert [s.name for s in settings(Config).values() if not meaning(s)] == []
    assert (DOCS / "settings.md").read_text(encoding="utf-8") == page()


def test_readers_and_conditions_name_tasks_settings_and_values_that_exist():
    for setting in settings(Config).values():
        assert set(setting.tasks or ()) <= set(tasks.names())
        own = [c for c in (setting.tasks or {}).values() if c is not None]
        needed = [Condition.parse(text) for text in setting.limits.get("only", {}).values()]
        for condition in (*setting.conditions, *own, *needed):
            known = settings(Config)[condition.setting].limits.get("choices")
            assert known is None or set(condition.values) <= set(known), setting.name


@pytest.mark.parametrize("name", [*recipes.names(), *recipes.own_names()])
def test_no_recipe_sets_what_nothing_reads(name):
    assert list(idle_settings(recipes.load(name)[0])) == []


@pytest.mark.parametrize(
    ("assignments", "where"),
    [
        (["optimizer.momentum=0.5"], "with optimizer.name = 'adam'"),
        (["optimizer.name=sgd", "optimizer.momentum=0.5"], "with optimizer.name = 'sgd'"),
        (["schedule.name=one-cycle", "schedule.factor=0.1"], "with schedule.name = 'one-cycle'"),
        (["schedule.name=plateau", "schedule.hold=2"], "with schedule.name = 'plateau'"),
        (["averaging.decay=0.9"], "with averaging.name = 'none'"),
        (["averaging.name=ema", "averaging.start=3"], "with averaging.name = 'ema'"),
        (["initialization.range=0.2"], "with initialization.name = 'torch'"),
        (["model.nonlinearity=relu"], "with model.cell = 'lstm'"),
        (["model.cell=gru", "model.forget_bias=2"], "with model.cell = 'gru'"),
        (["task=forecast", "forecast.calibrate=false"], "with forecast.distribution = 'none'"),
        (["task=label_words", "model.feature_size=9"], "with text.features = 'word'"),
        (["task=caption", "scenes.count=9"], "with data.name = 'mnist'"),
        (["text.bptt=7"], "in the task 'classify'"),
        (["pictures.fit=crop"], "with data.name = 'mnist'"),
    ],
    ids=str,
)
def test_a_setting_that_nothing_reads_is_refused_with_the_reason(assignments, where):
    config = Config().override(assignments)
    with pytest.raises(ConfigError, match=f"{assignments[-1].split('=')[0]} has no effect {where}"):
        refuse_idle(config)


@pytest.mark.parametrize(
    "assignments",
    [
        ["optimizer.name=nesterov", "optimizer.momentum=0.5"],
        ["schedule.name=zaremba", "schedule.factor=0.1", "schedule.hold=2"],
        ["averaging.name=mean", "averaging.start=3"],
        ["initialization.name=uniform", "initialization.range=0.2"],
        ["model.cell=indrnn", "model.nonlinearity=relu"],
        ["model.cell=minlstm", "model.forget_bias=2"],
        ["task=caption", "data.name=digit-scenes", "scenes.count=9", "data.validation=50"],
        ["task=caption", "data.name=images", "pictures.side=32"],
    ],
    ids=str,
)
def test_a_setting_that_something_reads_is_taken(assignments):
    refuse_idle(Config().override(assignments))


def test_what_a_recipe_set_falls_with_the_setting_that_it_hung_on_and_is_named():
    recipe = Config().override(["schedule.name=one-cycle", "schedule.warmup=0.2"])
    changed = recipe.override(["schedule.name=cosine"])
    assert changed.schedule.warmup == Config().schedule.warmup
    (line,) = changed.notices()
    assert "schedule.warmup=0.2 with schedule.name = 'cosine'" in line
    refuse_idle(changed)
    assert recipe.notices() == []


def test_what_was_given_beside_it_does_not_fall_but_is_refused():
    recipe = Config().override(["schedule.name=one-cycle"])
    changed = recipe.override(["schedule.name=cosine", "schedule.warmup=0.1"])
    with pytest.raises(ConfigError, match=r"schedule\.warmup has no effect"):
        refuse_idle(changed)


def test_a_run_of_an_earlier_version_is_settled_and_says_so():
    values = Config().to_dict()
    values["optimizer"]["momentum"], values["text"]["bptt"] = 0.5, 7
    settled = Config.from_dict(values).settled()
    assert settled.optimizer == Config().optimizer
    assert settled.text == Config().text
    (line,) = settled.notices()
    assert "optimizer.momentum=0.5" in line
    assert "text.bptt=7" in line


@pytest.mark.parametrize("task", tasks.names())
def test_what_the_coach_suggests_is_read_by_the_task_and_cell(task):
    withheld = []
    number = re.compile(r"\{[^}]*\}")
    lines = {number.sub("0.25" if "dropout" in line else "3", line) for line in LINES}
    for cell in CELLS if task == "classify" else CELLS[:1]:
        config = Config().override([f"task={task}", f"model.cell={cell}"])
        for line in lines:
            given = settings_of(line)
            if not given:
                continue
            idle = {s.name for s, _ in idle_settings(config.override(given))}
            if fits(line, config):
                assert not idle & {name.partition("=")[0] for name in given}, (line, cell)
            else:
                withheld.append(line)
    assert ("--set text.bptt=3" in withheld) == (task != "generate")
