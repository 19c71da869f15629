"""Codes of categories among numbers: rows that are learnt, one of them for what is not known."""

import pytest
import torch

from carousel.config.columns import embedding_size
from carousel.layers.categories import CategoryInput, noisy


def test_numbers_stay_and_each_code_has_its_row_behind_them():
    torch.manual_seed(0)
    layer = CategoryInput(4, {0: 12, 2: 20}).eval()
    x = torch.randn(3, 5, 4)
    x[:, :, 0] = torch.randint(1, 13, (3, 5)).float()
    x[:, :, 2] = torch.randint(1, 21, (3, 5)).float()
    found = layer(x)
    assert found.shape == (3, 5, layer.width) == (3, 5, 2 + embedding_size(12) + embedding_size(20))
    first, second = (each.weight for each in layer.embeddings)
    for row in range(3):
        for step in range(5):
            a, b = int(x[row, step, 0]), int(x[row, step, 2])
            wanted = torch.cat((x[row, step, [1, 3]], first[a], second[b]))
            assert torch.equal(found[row, step], wanted)


@pytest.mark.parametrize("code", [0.0, 13.0, 1e9, -2.0, float("nan")])
def test_whatever_is_no_code_has_the_row_for_what_is_not_known(code):
    layer = CategoryInput(2, {1: 12}).eval()
    found = layer(torch.tensor([[0.5, code]]))
    assert torch.equal(found[0, 1:], layer.embeddings[0].weight[0])


def test_training_learns_the_row_for_what_is_not_known_whole_examples_at_a_time():
    torch.manual_seed(0)
    layer = CategoryInput(2, {1: 12}, unknown=0.5)
    x = torch.full((400, 3, 2), 5.0)
    found = layer(x)[..., 1:]
    unknown = (found == layer.embeddings[0].weight[0]).all(-1)
    assert torch.equal(unknown.any(1), unknown.all(1))
    assert 0.4 < unknown.float().mean() < 0.6
    found.sum().backward()
    assert layer.embeddings[0].weight.grad[0].abs().sum() > 0
    assert not (layer.eval()(x)[..., 1:] == layer.embeddings[0].weight[0]).all(-1).any()


def test_the_size_of_an_embedding_grows_with_the_levels_up_to_fifty():
    # https://github.com/fastai/fastai/blob/master/fastai/tabular/model.py: 1.6 n^0.56
    assert [embedding_size(n) for n in (9, 40, 1000, 10_000)] == [6, 13, 50, 50]


def test_noise_is_on_numbers_and_never_on_codes():
    torch.manual_seed(0)
    x = torch.full((50, 3), 4.0)
    found = noisy(x, 0.5, {1: 9})
    assert torch.equal(found[:, 1], x[:, 1])
    assert (found[:, [0, 2]] != 4.0).all()
    torch.manual_seed(1)
    wanted = x + 0.5 * torch.randn_like(x)
    torch.manual_seed(1)
    assert torch.equal(noisy(x, 0.5, {}), wanted)
