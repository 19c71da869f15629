"""One routine draws every split: parts are disjoint, shares are met, classes and groups kept."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carousel.data.splits import fold, hold_out, in_time, split
from carousel.errors import DataError

SHARE = st.floats(0, 0.6)


def everything(parts):
    return sorted(i for index in parts.values() for i in index.tolist())


@given(st.integers(3, 60), SHARE, SHARE, st.integers(0, 5))
def test_parts_are_disjoint_hold_all_and_leave_one_to_train_on(count, test, validation, seed):
    shares = {"test": test, "validation": validation}
    parts = split(count, shares, seed)
    assert everything(parts) == list(range(count))
    assert len(parts["train"]) >= 1
    assert len(parts["test"]) == min(max(1, round(shares["test"] * count)), count - 1)
    for index in parts.values():
        assert index.tolist() == sorted(index.tolist())


@given(st.integers(3, 60), st.floats(0.1, 0.5), st.integers(0, 5))
def test_a_share_is_the_beginning_of_one_random_order(count, share, seed):
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    size = max(1, round(share * count))
    assert split(count, {"held": share}, seed)["held"].tolist() == sorted(order[:size])


def test_shares_that_leave_nothing_are_an_error_where_their_settings_are_named():
    with pytest.raises(DataError, match=r"what text\.test hold out leaves nothing of the 4"):
        split(4, {"test": 0.5, "validation": 0.5}, 0, settings="text.test")
    assert len(split(4, {"test": 0.5, "validation": 0.5}, 0)["train"]) == 1


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.floats(0.1, 0.5))
def test_every_class_gives_its_share(classes, share):
    parts = split(len(classes), {"test": share}, 0, classes=classes)
    assert everything(parts) == list(range(len(classes)))
    drawn = Counter(classes[i] for i in parts["test"].tolist())
    for label, count in Counter(classes).items():
        assert drawn[label] == min(max(1, round(share * count)), count - 1)


@pytest.mark.parametrize("in_groups", [True, False])
@given(st.lists(st.sampled_from("abcdef"), min_size=6, max_size=40))
def test_groups_stay_whole(in_groups, groups):
    shares = {"test": 0.2, "validation": 0.2}
    parts = split(len(groups), shares, 1, groups=groups, in_groups=in_groups)
    assert everything(parts) == list(range(len(groups)))
    held = [{groups[i] for i in index.tolist()} for index in parts.values()]
    assert sum(map(len, held)) == len(set(groups))
    if not in_groups and len(parts["train"]):
        assert len(parts["test"]) >= max(1, round(0.2 * len(groups)))


def test_every_example_judges_in_one_fold():
    parts = [fold(23, number, 10, seed=3) for number in range(10)]
    assert sorted(i for part in parts for i in part["test"].tolist()) == list(range(23))
    assert all(everything(part) == list(range(23)) for part in parts)


def test_parts_in_time_follow_each_other_with_gaps_between():
    assert in_time([10, 15, 20], start=3, gap=2) == {
        "train": range(3, 10), "validation": range(12, 15), "test": range(17, 20),
    }  # fmt: skip


def test_what_is_held_out_depends_on_the_seed_alone():
    assert torch.equal(hold_out(50, 10, 1)[1], hold_out(50, 10, 1)[1])
    assert not torch.equal(hold_out(50, 10, 1)[1], hold_out(50, 10, 2)[1])
