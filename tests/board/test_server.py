"""The board's address: free where the default is taken, with a token where others reach it."""

import os
import signal
import socket
import subprocess
import sys

import pytest
from made_runs import make_run
from small import SETTINGS

from carousel.errors import ConfigError

pytest.importorskip("nicegui", reason="the extra 'board' is not installed")

COMMAND = [sys.executable, "-c", "from carousel.cli import main; main()"]


@pytest.fixture
def taken(monkeypatch):
    """The default port, held by somebody else."""
    from carousel.board import server

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr(server, "PORT", port)
        yield port


def test_a_free_port_is_found_where_the_default_is_taken(taken):
    from carousel.board.server import listen

    address = listen()
    with address.listener as listener:
        assert listener.getsockname()[1] != taken
        assert address.url == f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_port_that_was_asked_for_and_is_taken_is_told(taken):
    from carousel.board.server import listen

    with pytest.raises(ConfigError, match=f"{taken}.*without --port"):
        listen(port=taken)


def test_a_host_that_is_not_here_is_told():
    from carousel.board.server import listen

    with pytest.raises(ConfigError, match="cannot listen"):
        listen("203.0.113.7", 0)


def test_another_address_has_a_token_of_its_own_each_time():
    from carousel.board.server import listen

    tokens = set()
    for _ in range(2):
        address = listen("0.0.0.0", 0)
        with address.listener:
            assert address.token in address.url
            tokens.add(address.token)
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 24


def test_the_board_loads_neither_torch_nor_a_folder_of_its_own(tmp_path):
    make_run(tmp_path / "runs" / "a")
    code = (
        "import sys\nfrom carousel.board.server import make_app\n"
        "from carousel.runs.store import Store\nmake_app(Store('runs')); Store('runs').runs()\n"
        "print({'torch', 'numpy', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stdout, done.returncode) == ("set()\n", 0), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


@pytest.mark.slow
def test_a_board_beside_a_training_ends_with_it(tmp_path):
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    command = [*COMMAND, "train", "mnist-rows", *settings, "--set", "training.epochs=100000",
               "--set", "training.patience=0", "--run-dir", "runs/run", "--threads", "1",
               "--quiet", "--board"]  # fmt: skip
    quiet = {**os.environ, "BROWSER": "true", "OMP_NUM_THREADS": "1"}  # opens nothing
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=quiet)
    with process:
        line = process.stderr.readline()
        assert "the board of" in line
        process.send_signal(signal.SIGKILL)
        # The pipe ends when the last who holds it has ended: the board.
        _, rest = process.communicate(timeout=60)  # one that runs on fails, and does not hang
        assert "Traceback" not in rest, rest


def test_a_board_whose_input_has_ended_before_it_begins_ends_by_itself(tmp_path):
    """However early the input ends, while the server is still being set up, it is not missed."""
    make_run(tmp_path / "runs" / "a")
    command = [*COMMAND, "board", "runs", "--no-browser", "--port", "0", "--until-input-ends"]
    done = subprocess.run(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "the board of" in done.stdout
