"""Which path a call takes: asked for, scoped, and never taken silently."""

import threading

import pytest
import torch

import carousel
from carousel import kernels
from carousel.cells import over_time

X = torch.zeros(4, 2, 3)


def chosen():
    return kernels.choose(carousel.GRU(3, 5).stack(), X).name


def test_use_holds_inside_and_nests():
    outside = chosen()
    with kernels.use("cells"):
        assert chosen() == "cells"
        with kernels.use("torch"):
            assert chosen() == "torch"
        assert chosen() == "cells"
    assert chosen() == outside


def test_use_ends_when_an_exception_leaves_it():
    outside = chosen()
    with pytest.raises(KeyError), kernels.use("cells"):
        raise KeyError
    assert chosen() == outside


def test_use_does_not_reach_other_threads():
    outside, seen = chosen(), []
    with kernels.use("cells"):
        thread = threading.Thread(target=lambda: seen.append(chosen()))
        thread.start()
        thread.join()
    assert seen == [outside]


@pytest.mark.parametrize("path", ["", "oracle", "Torch"])
def test_use_of_an_unknown_path_raises(path):
    with pytest.raises(ValueError, match="'torch' or 'cells'"), kernels.use(path):
        pass


@pytest.mark.parametrize(("path", "scans"), [("cells", 2), ("torch", 0)])
@pytest.mark.parametrize("lengths", [None, [4, 0]], ids=["full", "ragged"])
def test_layer_takes_the_path_it_reports(path, scans, lengths, monkeypatch):
    calls = []

    def counted(*args, **kwargs):
        calls.append(args)
        return scan(*args, **kwargs)

    scan = over_time.scan
    monkeypatch.setattr(over_time, "scan", counted)
    with kernels.use(path):
        layer = carousel.GRU(3, 5, bidirectional=True)
        assert carousel.explain(layer, X).startswith(path)
        layer(X, lengths=lengths)
    assert len(calls) == scans
