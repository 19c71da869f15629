"""What the coach asks of a batch, asked of every task: rows, some of them, and more padding."""

import inspect

import pytest
import torch
from every_task import SMALL
from small_pairs import pair_config, write_pairs
from small_recordings import recordings_config, write_classes
from small_scenes import images_config, write_images

from carousel import tasks
from carousel.tasks.shared.task import Task

EVERY = {
    **SMALL,
    "classify_recordings": lambda folder: recordings_config(write_classes(folder)),
    "translate": lambda folder: pair_config(write_pairs(folder, 80), "text.level=word"),
    "caption": lambda folder: images_config(write_images(folder)),
}

#: Tasks whose rows are of one length in these examples: there is nothing to pad.
ONE_LENGTH = {"classify", "forecast", "forecast_many", "anomaly", "generate"}
padded = pytest.mark.parametrize("name", [name for name in EVERY if name not in ONE_LENGTH])


@pytest.fixture(params=EVERY)
def name(request):
    return request.param


@pytest.fixture
def task(name, tmp_path):
    config = EVERY[name](tmp_path)
    torch.manual_seed(1)
    return tasks.find(config.task)(config, 1)


def test_all_rows_picked_in_their_order_are_the_batch(task):
    batch, subject = next(task.train_batches(0, 0)), task.subject
    rows = subject.rows(batch)
    picked = subject.pick(batch, torch.arange(rows))
    torch.testing.assert_close(picked, batch, rtol=0, atol=0, equal_nan=True)
    assert subject.rows(subject.pick(batch, torch.tensor([rows - 1]))) == 1


def test_tasks_with_rows_of_one_length_alone_have_nothing_to_pad(task, name):
    batch, subject = next(task.train_batches(0, 0)), task.subject
    assert (subject.padded(batch, 3) is None) == (name in ONE_LENGTH)


@padded
def test_padding_adds_nothing_that_is_to_be_found(task):
    batch, subject = next(task.train_batches(0, 0)), task.subject
    wider = subject.padded(batch, 3)
    assert sum(part.numel() for part in wider) > sum(part.numel() for part in batch)
    assert [part.dtype for part in wider] == [part.dtype for part in batch]
    assert torch.equal(subject.wanted(wider), subject.wanted(batch))


@padded
def test_padding_changes_no_loss(task):
    batch, subject = next(task.train_batches(0, 0)), task.subject
    wider = subject.padded(batch, 3)
    model = task.build_model().eval()
    with torch.no_grad():
        loss, again = task.loss(model, batch), task.loss(model, wider)
    assert again.count == loss.count
    torch.testing.assert_close(again.sums["loss"], loss.sums["loss"])


@pytest.mark.parametrize("name", ["translate", "caption"])
def test_the_share_of_scheduled_sampling_is_no_row_and_no_target(name, tmp_path):
    config = EVERY[name](tmp_path).override(["decoder.scheduled_sampling=0.5"])
    task = tasks.find(config.task)(config, 1)
    batch = next(task.train_batches(1, 0))
    assert batch[-1].dim() == 0
    picked = task.subject.pick(batch, torch.tensor([2, 0]))
    assert task.subject.rows(picked) == 2
    assert torch.equal(picked[-2], batch[-2][[2, 0]])
    assert torch.equal(task.subject.wanted(batch), batch[-2][batch[-2] >= 0])
    assert torch.equal(task.subject.padded(batch, 2)[-1], batch[-1])


def test_a_task_has_at_most_twelve_public_methods():
    methods = [n for n, m in inspect.getmembers(Task, inspect.isfunction) if not n.startswith("_")]
    assert len(methods) <= 12, methods
