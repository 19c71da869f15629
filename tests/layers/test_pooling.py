"""Every pooling of a padded batch is that of each row alone, whatever the padding holds."""

import pytest
import torch

import carousel
from carousel.layers.pooling import Pooling

HOW = ("last", "mean", "max", "attention")


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("how", HOW)
def test_a_row_is_pooled_as_if_it_were_alone(how, bidirectional):
    torch.manual_seed(2)
    layer = carousel.GRU(3, 5, batch_first=True, bidirectional=bidirectional)
    pool = Pooling(how, 10 if bidirectional else 5)
    x, lengths = torch.randn(4, 9, 3), torch.tensor([9, 1, 4, 7])
    together = pool(*layer(x, lengths=lengths), lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = x[row : row + 1, :length]
        torch.testing.assert_close(together[row : row + 1], pool(*layer(alone)))


@pytest.mark.parametrize("how", ["mean", "max", "attention"])
def test_what_stands_in_the_padding_never_matters(how):
    torch.manual_seed(2)
    pool, outputs, lengths = Pooling(how, 5), torch.randn(3, 6, 5), torch.tensor([6, 2, 0])
    pooled = pool(outputs, None, lengths)
    outputs[1, 2:], outputs[2] = 1e30, -1e30
    assert torch.equal(pool(outputs, None, lengths), pooled)
    assert (pooled[2] == 0).all()


def test_the_last_state_is_that_of_both_directions_at_their_own_ends():
    torch.manual_seed(2)
    layer = carousel.LSTM(3, 5, batch_first=True, bidirectional=True)
    x, lengths = torch.randn(2, 6, 3), torch.tensor([6, 3])
    outputs, state = layer(x, lengths=lengths)
    pooled = Pooling("last", 10)(outputs, state, lengths)
    torch.testing.assert_close(pooled[1], torch.cat((outputs[1, 2, :5], outputs[1, 0, 5:])))


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="last, mean, max or attention, got 'median'"):
        Pooling("median", 3)
