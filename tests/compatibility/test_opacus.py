"""Opacus goes by exact classes: layers are restored first, then it puts its own in their place."""

import pytest
import torch
from torch import nn

import carousel

pytestmark = pytest.mark.filterwarnings("ignore")  # Opacus uses what torch has deprecated


class Last(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.layer = getattr(carousel, name)(3, 5, batch_first=True)
        self.head = nn.Linear(5, 1)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_a_restored_model_is_trained_in_private(name):
    opacus = pytest.importorskip("opacus", exc_type=ImportError)
    validators = pytest.importorskip("opacus.validators", exc_type=ImportError)
    model = validators.ModuleValidator.fix(carousel.restore(Last(name)))
    data = torch.utils.data.TensorDataset(torch.randn(8, 4, 3), torch.randn(8, 1))
    model, optimizer, loader = opacus.PrivacyEngine().make_private(
        module=model,
        optimizer=torch.optim.SGD(model.parameters(), 0.1),
        data_loader=torch.utils.data.DataLoader(data, batch_size=4),
        noise_multiplier=1.0,
        max_grad_norm=1.0,
        poisson_sampling=False,
    )
    before = [p.detach().clone() for p in model.parameters()]
    for x, y in loader:
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()
    assert all(not torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
