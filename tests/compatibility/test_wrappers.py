"""Programs that build a user's model themselves: which layers stand in it afterwards."""

import numpy as np
import pytest
from torch import nn

import carousel
from carousel.layers.acceleration import accelerated

pytestmark = pytest.mark.filterwarnings("ignore")  # of those packages


class Network(nn.Module):
    def __init__(self, lib=carousel):
        super().__init__()
        self.layer, self.head = lib.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.layer(x)[0])


def test_skorch_clones_and_fits_our_layers():
    skorch = pytest.importorskip("skorch", reason="skorch is not installed")
    sklearn = pytest.importorskip("sklearn.base")
    generator = np.random.default_rng(0)
    x, y = (generator.normal(size=(8, 5, n)).astype("float32") for n in (3, 2))
    for module in (Network, carousel.accelerate(Network(nn))):
        net = skorch.NeuralNetRegressor(module, max_epochs=1, verbose=0).fit(x, y)
        net = sklearn.clone(net).fit(x, y)
        assert type(net.module_.layer) is carousel.LSTM


def test_stable_baselines_builds_torchs_layers_when_it_loads_and_they_can_be_swapped(tmp_path):
    contrib = pytest.importorskip("sb3_contrib", reason="sb3-contrib is not installed")
    model = contrib.RecurrentPPO(
        "MlpLstmPolicy", "CartPole-v1", n_steps=16, batch_size=8, n_epochs=1, seed=0
    )
    carousel.accelerate(model.policy)
    model.learn(16)
    model.save(tmp_path / "model")
    loaded = contrib.RecurrentPPO.load(tmp_path / "model")
    assert [layer.reason for layer in accelerated(loaded.policy).left] == [
        "torch's layer; accelerate(model) swaps it"
    ] * 2
    assert len(accelerated(carousel.accelerate(loaded.policy)).swapped) == 2
    observation = np.zeros((1, 4), dtype="float32")
    actions = [m.predict(observation, deterministic=True)[0] for m in (model, loaded)]
    assert actions[0] == actions[1]
