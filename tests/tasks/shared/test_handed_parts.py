"""A task trains on parts that are handed in, made from lists and tensors, as on the same data in
files: bit for bit."""

import pytest
import torch
from every_task import SMALL

from carousel import tasks
from carousel.data.labelled_text import LabelledText, Sentences
from carousel.data.labelled_words import Labelled, LabelledWords
from carousel.data.measured import Measured, MeasuredRecordings
from carousel.data.ragged import Ragged
from carousel.data.recordings import LabelledFrames, Recordings
from carousel.data.regular import Series
from carousel.data.series_parts import SeriesParts
from carousel.data.text import TextParts
from carousel.data.whole_targets import WholeRecordings, WholeTargets

STEPS = 3


def values_of(part):
    return Ragged.of(
        torch.tensor(row.numpy()) for row in map(part.values.__getitem__, range(len(part)))
    )


def sentences(part):
    return Sentences(list(part.texts), torch.tensor(part.labels.tolist()))


def by_hand(task):
    """The data of a task as one would make them without any file."""
    data = task.parted
    if isinstance(data, LabelledText):
        made = [sentences(data.part(name)) for name in ("train", "validation", "test")]
        return LabelledText(*made, classes=data.classes)
    if isinstance(data, LabelledWords):
        parts = [data.part(name) for name in ("train", "validation", "test")]
        return LabelledWords(*(Labelled(list(p.words), list(p.labels)) for p in parts))
    if isinstance(data, LabelledFrames):
        parts = [data.part(name) for name in ("train", "validation", "test")]
        made = [Recordings(p.names, values_of(p), p.labels.clone()) for p in parts]
        return LabelledFrames(*made, classes=data.classes)
    if isinstance(data, MeasuredRecordings):
        parts = [data.part(name) for name in ("train", "validation", "test")]
        return MeasuredRecordings(*(Measured(p.names, values_of(p), p.targets) for p in parts))
    if isinstance(data, WholeRecordings):
        parts = [data.part(name) for name in ("train", "validation", "test")]
        made = [WholeTargets(p.names, values_of(p), p.targets.clone()) for p in parts]
        return WholeRecordings(*made, targets=data.targets)
    if isinstance(data, SeriesParts):
        series = Series(data.series.columns, data.series.stamps, data.series.values.copy())
        return SeriesParts.of(series, task.config.forecast)
    parts = task.corpus._parts
    texts = {name: parts.read_part(name) for name in ("train", "validation", "test")}
    return TextParts(parts.kind, texts.__getitem__)


def weights_after(task):
    torch.manual_seed(0)
    model = task.build_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    carry = ()
    for _, batch in zip(range(STEPS), task.train_batches(0, 0), strict=False):
        optimizer.zero_grad()
        step = task.loss(model, batch, carry)
        step.objective.backward()
        optimizer.step()
        carry = step.carry
    return model, task.validate(model)


@pytest.mark.parametrize("name", [name for name in SMALL if name != "classify"])
def test_parts_made_by_hand_train_as_files_do_bit_for_bit(name, tmp_path):
    config = SMALL[name](tmp_path)
    of_files = tasks.find(config.task)(config, 0)
    nowhere = config.override(["data.path=''"])
    handed = tasks.find(config.task)(nowhere, 0, by_hand(of_files))
    (one, scores), (other, others) = weights_after(of_files), weights_after(handed)
    assert scores == others
    for key, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[key]), key


def test_a_trained_model_judges_the_parts_that_were_handed_in(tmp_path):
    config = SMALL["classify_text"](tmp_path)
    of_files = tasks.find(config.task)(config, 0)
    parts = by_hand(of_files)
    handed = tasks.find(config.task)(config.override(["data.path=''"]), 0, parts)
    torch.manual_seed(0)
    trained = handed.finish(handed.build_model())
    trained.parts = parts
    torch.manual_seed(0)
    wanted = of_files.finish(of_files.build_model()).evaluate("test")
    assert trained.evaluate("test") == wanted
