"""Parts of training come back from a checkpoint, those that were added and those of old ones."""

import random
import shutil
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from small import small_config
from small_text import text_config, write_text

from carousel.errors import RunError
from carousel.run.layout import RunFolder
from carousel.run.writing import EventStore
from carousel.tasks.classify.task import ClassifyTask
from carousel.training import checkpoint, lr_range, resume, train
from carousel.training.display import Display
from carousel.training.loop import Trainer
from carousel.training.new_run import new_run
from carousel.training.state import gather, restore

OLD = Path(__file__).parents[1] / "fixtures" / "first_generation" / "interrupted"
#: Of the run whose folder that is: killed in its second epoch, with an average that had begun.
SETTINGS = (
    "averaging.name=mean",
    "optimizer.name=nesterov",
    "optimizer.clip_norm=0",
    "optimizer.clip_percentile=50",
    "schedule.name=plateau",
    "schedule.patience=0",
    "model.hidden_size=6",
    "model.embedding_size=5",
)


class Dice:
    """A part that a later version may have: numbers that no other part can make again."""

    def __init__(self):
        self.chance = random.Random(7)
        self.weights = torch.zeros(2)

    def state_dict(self):
        version, state, gauss = self.chance.getstate()
        return {"version": version, "state": list(state), "gauss": gauss, "weights": self.weights}

    def load_state_dict(self, state):
        self.chance.setstate((state["version"], tuple(state["state"]), state["gauss"]))
        self.weights = state["weights"]


def trainer_of(run, store):
    fabric = Fabric(accelerator="cpu", devices=1)
    return Trainer(ClassifyTask(run.config, run.seed), run, store, Display(), fabric)


def test_a_part_that_is_added_in_one_place_is_saved_and_comes_back(tmp_path):
    config = small_config("training.epochs=1")
    run = new_run(tmp_path / "run", config, seed=3, threads=1, device="cpu")
    with EventStore(run.events) as store:
        first = trainer_of(run, store)
        first.stateful["dice"] = dice = Dice()
        dice.chance.random()
        dice.weights += 3
        first.fit()
        second = trainer_of(run, store)
        second.stateful["dice"] = back = Dice()
        second.fit()
    assert back.chance.random() == dice.chance.random()
    assert torch.equal(back.weights, dice.weights)
    assert second.progress == first.progress
    assert second.progress.step > 0


def test_a_part_that_the_checkpoint_has_nothing_of_is_refused():
    tensors, facts = gather({"dice": Dice()})
    with pytest.raises(RunError, match="nothing of the part 'other' of training"):
        restore({"dice": Dice(), "other": Dice()}, tensors, facts)


@pytest.fixture
def interrupted(tmp_path):
    """A run that an earlier version was killed in, and the text that it read."""
    run = shutil.copytree(OLD, tmp_path / "run")
    text = write_text(tmp_path)
    for name in ("config.toml", "data.json"):
        said = (run / name).read_text()
        (run / name).write_text(said.replace('"text.txt"', f'"{text}"'))
    return run


def test_an_interrupted_run_of_the_first_generation_ends_as_it_would_have(interrupted, tmp_path):
    begun = checkpoint.load_latest(interrupted / "checkpoints")[1]["progress"]
    assert (begun["epoch"], begun["step"]) == (1, 59)
    ended = resume(interrupted, quiet=True)
    config = text_config(tmp_path / "text.txt", *SETTINGS)
    whole = train(config, seed=5, threads=1, run_dir=tmp_path / "whole", quiet=True)
    assert ended.result["steps"] == whole.result["steps"] == 82
    assert ended.result["validation"] == pytest.approx(whole.result["validation"], rel=1e-3)
    for ours, theirs in zip(
        ended.load().model.parameters(), whole.load().model.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_the_best_weights_of_an_old_checkpoint_are_found(interrupted):
    origin, weights = lr_range.best_weights(RunFolder.open(interrupted))
    assert origin.startswith("the best weights of ")
    assert origin.endswith("which stands at step 59")
    assert weights.keys() == lr_range.start(str(interrupted)).model.state_dict().keys()
