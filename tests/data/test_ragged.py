"""Sequences of any length: nothing is lost between the ragged and the padded form."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from carousel.data.ragged import Buckets, Ragged, by_length

lengths_of = st.lists(st.integers(0, 9), min_size=1, max_size=40)


def make(lengths, features=2):
    values = torch.arange(1.0, 1 + sum(lengths) * features).view(-1, features)
    return Ragged.of(torch.split(values, lengths))


@given(lengths_of, st.randoms())
def test_padding_and_taking_keep_every_sequence(lengths, chance):
    sequences = make(lengths)
    index = torch.tensor([chance.randrange(len(lengths)) for _ in range(7)])
    padded, kept = sequences.pad(index, fill=-5)
    taken = sequences.take(index)
    assert padded.size(1) == max(1, int(kept.max()))
    for row, number in enumerate(index.tolist()):
        assert torch.equal(padded[row, : kept[row]], sequences[number])
        assert (padded[row, kept[row] :] == -5).all()
        assert torch.equal(taken[row], sequences[number])


@given(lengths_of, st.integers(1, 8), st.integers(0, 3))
def test_an_epoch_has_every_sequence_once(lengths, rows, epoch):
    batches = Buckets(torch.tensor(lengths), rows, seed=1, span=2)
    drawn = list(batches.epoch(epoch))
    assert len(drawn) == len(batches)
    assert sorted(torch.cat(drawn).tolist()) == list(range(len(lengths)))
    assert all(len(batch) <= rows for batch in drawn)


def test_an_epoch_from_batch_k_on_is_the_rest_of_the_whole_one():
    batches = Buckets(torch.arange(100) % 13, 8, seed=3)
    whole, rest = list(batches.epoch(2)), list(batches.epoch(2, start=5))
    assert all(torch.equal(a, b) for a, b in zip(whole[5:], rest, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(whole, batches.epoch(3), strict=True))


def test_batches_hold_far_less_padding_than_chance_would():
    lengths = torch.randint(1, 100, (4000,), generator=torch.Generator().manual_seed(0))
    spread = [int(lengths[i].max() - lengths[i].min()) for i in Buckets(lengths, 20, 0).epoch(0)]
    assert sum(spread) / len(spread) < 10  # 100 / 50 in the middle of a pool
    assert torch.cat(list(by_length(lengths, 33))).sort().values.tolist() == list(range(4000))
