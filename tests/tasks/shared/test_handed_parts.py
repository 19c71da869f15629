"""A task trains on parts that are handed in, made from lists and tensors, as on the same data in
files: bit for bit."""

from dataclasses import replace

import pytest
import torch
from every_task import SMALL
from small_pairs import pair_config, write_pairs
from small_recordings import recordings_config, write_classes
from small_scenes import images_config, write_images

from carousel import tasks
from carousel.data.captioned import Captioned, CaptionedImages
from carousel.data.labelled_images import ImageParts, Images
from carousel.data.labelled_recordings import Labelled as LabelledRecording
from carousel.data.labelled_recordings import LabelledRecordings
from carousel.data.labelled_text import LabelledText, Sentences
from carousel.data.labelled_words import Labelled, LabelledWords
from carousel.data.many_series import ManySeriesParts
from carousel.data.measured import Measured, MeasuredRecordings
from carousel.data.ragged import Ragged
from carousel.data.recordings import LabelledFrames, Recordings
from carousel.data.regular import Series
from carousel.data.sentence_pairs import Pairs, Parallel
from carousel.data.series_parts import SeriesParts
from carousel.data.text import TextParts
from carousel.data.watched import Watched, WatchedSeries
from carousel.data.whole_targets import WholeRecordings, WholeTargets
from carousel.training import fit

STEPS = 3
EVERY = {
    **SMALL,
    "classify_recordings": lambda folder: recordings_config(write_classes(folder)),
    "translate": lambda folder: pair_config(write_pairs(folder, 80), "text.level=word"),
    "caption": lambda folder: images_config(write_images(folder)),
}


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
    if isinstance(data, ManySeriesParts):
        series = replace(data.series, values=data.series.values.copy())
        return ManySeriesParts.of(series, task.config)
    if isinstance(data, ImageParts):
        parts = [data.part(name) for name in ("train", "validation", "test")]
        return ImageParts(*(Images(p.images.clone(), p.labels.clone()) for p in parts))
    if isinstance(data, LabelledRecordings):
        parts = [data.part(name) for name in ("train", "validation", "test")]
        made = [LabelledRecording(p.names, values_of(p), p.labels.clone()) for p in parts]
        return LabelledRecordings(*made, classes=data.classes)
    if isinstance(data, Parallel):
        parts = [data.part(name) for name in ("train", "validation", "test")]
        return Parallel(*(Pairs.of(list(zip(p.sources, p.targets, strict=True))) for p in parts))
    if isinstance(data, CaptionedImages):
        parts = [data.part(name) for name in ("train", "validation", "test")]
        made = [Captioned(list(p.names), p.images.clone(), list(p.captions)) for p in parts]
        return CaptionedImages(*made)
    if isinstance(data, WatchedSeries):
        made = [
            Watched(s.name, s.columns, s.times, s.values.copy(), ends=s.ends) for s in data.series
        ]
        return WatchedSeries(tuple(made))
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


@pytest.mark.parametrize("name", EVERY)
def test_parts_made_by_hand_train_as_files_do_bit_for_bit(name, tmp_path):
    config = EVERY[name](tmp_path)
    of_files = tasks.find(config.task)(config, 0)
    nowhere = config.override(["data.path=''"])
    handed = tasks.find(config.task)(nowhere, 0, by_hand(of_files))
    (one, scores), (other, others) = weights_after(of_files), weights_after(handed)
    assert scores == others
    for key, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[key]), key


@pytest.mark.parametrize("name", ["classify", "classify_recordings", "translate", "caption"])
def test_a_fit_on_parts_made_by_hand_is_that_on_files_and_judges_them(name, tmp_path):
    config = EVERY[name](tmp_path).override(["training.epochs=1", "training.max_steps=4"])
    parts = by_hand(tasks.find(config.task)(config, 3))
    handed = fit(config.override(["data.path=''"]), parts, seed=3, threads=1)
    of_files = fit(config, seed=3, threads=1)
    assert handed.validation == of_files.validation
    for key, weight in of_files.model.model.state_dict().items():
        assert torch.equal(weight, handed.model.model.state_dict()[key]), key
    judged, wanted = handed.model.evaluate(), of_files.model.evaluate()
    assert numbers_of(judged) == numbers_of(wanted)


def numbers_of(report):
    return {name: value for name, value in report.items() if isinstance(value, float)}


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
