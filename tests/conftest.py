import pytest
import torch

from carousel import kernels

torch.set_num_threads(2)


def pytest_configure(config):
    # torch says so once per process, of torch.nn as well: which test meets it depends on the order.
    config.addinivalue_line(
        "filterwarnings", "ignore:LSTM with projections is not supported with oneDNN:UserWarning"
    )


@pytest.fixture(params=["torch", "cells"])
def path(request):
    """Runs the test once on every path that computes a recurrent layer."""
    with kernels.use(request.param):
        yield request.param
