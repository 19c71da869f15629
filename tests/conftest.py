import os
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from json_output import check
from small import small_config
from thin import add_options, choose

from carousel import cli, kernels

# Side by side with other processes of the tests, each has one thread where a test asks for no more.
torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)
settings.register_profile("carousel", deadline=None)  # a busy machine is no failure
settings.load_profile("carousel")


def pytest_addoption(parser):
    add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    choose(config, items)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_developer(tmp_path_factory):
    """Tests see no config.toml but their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("settings")))
        patch.delenv("CAROUSEL_LANG", raising=False)
        patch.delenv("CAROUSEL_LOG", raising=False)
        yield


def pytest_configure(config):
    # torch says so once per process, of torch.nn as well: which test meets it depends on the order.
    config.addinivalue_line(
        "filterwarnings", "ignore:LSTM with projections is not supported with oneDNN:UserWarning"
    )


@pytest.fixture(params=["default", "torch", "cells"])
def path(request):
    """Runs the test once on every path that computes a recurrent layer.

    "default" is what users get: the native kernels in float32, torch's elsewhere.
    """
    with nullcontext() if request.param == "default" else kernels.use(request.param):
        yield request.param


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A finished run, small but whole. Tests that write into it take `run` instead."""
    from carousel.training import train

    folder = tmp_path_factory.mktemp("trained") / "run"
    return train(small_config(), seed=3, threads=1, run_dir=folder, quiet=True)


@pytest.fixture
def run(trained, tmp_path):
    """The folder of a copy of the finished run, to write into."""
    import shutil

    return shutil.copytree(trained.path, tmp_path / "run")


@pytest.fixture
def shared_data():
    """Skips the test unless a data set lies where CAROUSEL_DATA says, without a download."""

    def need(name):
        folder = os.environ.get("CAROUSEL_DATA")
        if folder is None:
            pytest.skip("CAROUSEL_DATA is not set: it names the folder of the data sets")
        if not (Path(folder) / name).is_dir():
            pytest.skip(f"CAROUSEL_DATA={folder} has no {name}")

    return need


@pytest.fixture
def carousel(capsys, monkeypatch, tmp_path):
    """Runs the command line in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["carousel", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        check(arguments, ended.value.code, out)  # wherever --json is asked for
        return ended.value.code, out, err

    return call
