"""Sweeps whose machines share no folder: a journal, or a real PostgreSQL, which crashes, too."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from child import TESTS
from small import small_config
from small_sweep import small_book, small_sweep, values_of

from carousel.errors import RunError
from carousel.sweep import worker
from carousel.sweep.ledger import Ledger, Patience
from carousel.sweep.plan import Plan
from carousel.sweep.space import parse
from carousel.sweep.storage import shown
from carousel.sweep.summary import summary
from carousel.sweep.worker import Work, work

pytest.importorskip("psycopg", reason="psycopg is not installed")

PASSWORD = "a-secret-word"


def _programs():
    """The folder of the server's programs, which Debian does not put on the path."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return known[-1].parent if known else None


class Server:
    """A PostgreSQL of its own folder, run by somebody who is not root, as it asks."""

    def __init__(self, programs, folder):
        self.programs, self.data = programs, folder / "data"
        self.user = {"user": "postgres"} if os.geteuid() == 0 else {}
        if self.user:
            shutil.chown(folder, "postgres")
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", "-D", self.data, "-U", "me", f"--pwfile={secret}", "--auth=md5", "-N")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.start()

    @property
    def address(self):
        return f"postgresql://me:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def start(self):
        said = f"-h 127.0.0.1 -p {self.port} -k {self.folder}"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o", said, "start")

    def stop(self):
        """End it as a crash would: what it has not written is found in its log when it starts."""
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")

    def _run(self, name, *arguments):
        command = [str(self.programs / name), *map(str, arguments)]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, **self.user)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def server():
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with tempfile.TemporaryDirectory() as folder:  # pytest keeps others out of its own
        made = Server(programs, Path(folder))
        yield made
        made.stop()


def ledger(server, folder, name, **patience):
    config = small_config()
    axes = parse(["model.hidden_size=8,16,32", "model.cell=gru,lstm"], config)
    plan = Plan(config, axes, "grid", "median", "accuracy", True, 9, 1)
    folder.mkdir(exist_ok=True)
    return Ledger(plan, server.address, name, folder, Patience(**patience))


@pytest.mark.slow
def test_machines_without_a_common_folder_share_the_points_of_a_grid(server, tmp_path):
    one, other = (ledger(server, tmp_path / name, "shared") for name in "ab")
    claims = [(one, other)[n % 2].claim(6, "") for n in range(6)]
    assert len({tuple(sorted(claim.values.items())) for claim in claims}) == 6
    assert one.claim(6, "") is None
    for claim in claims:
        other.ended(claim, 0.5)
    assert one.is_done(6)


def test_a_trial_of_a_machine_that_gives_no_sign_of_life_is_taken_again(server, tmp_path):
    lost = ledger(server, tmp_path / "a", "lost").claim(6, "")
    watching = ledger(server, tmp_path / "b", "lost", lost=0.0)
    assert watching.recover() == []  # seen for the first time
    assert watching.recover() == [lost.number]
    again = watching.claim(6, "")
    assert (again.values, again.run) == (lost.values, lost.run)


def test_a_database_that_is_away_is_one_line_without_the_password_and_comes_back(server, tmp_path):
    book = ledger(server, tmp_path / "a", "away")
    claim = book.claim(6, "")
    server.stop()
    with pytest.raises(RunError, match="cannot be used") as error:
        book.trials()
    assert PASSWORD not in str(error.value)
    assert "same command again" in str(error.value)
    server.start()
    book.ended(claim, 0.5)
    assert [trial.value for trial in book.trials()] == [0.5]


def test_a_password_is_never_shown():
    assert shown("postgresql://me:secret@db/x") == "postgresql://me:…@db/x"
    assert shown("mysql://db/x") == "mysql://db/x"


def other_machine(storage, folder, *how):
    """A process of `small_sweep.machine`, which shares nothing with this one but the storage."""
    code = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r}); from small_sweep import machine; "
        f"machine({storage!r}, {str(folder)!r}, *{how!r})"
    )
    folder.mkdir()
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], cwd=folder)


def results(book, runs):
    """Settings, value and state of each trial; one that was taken again has a later number."""
    found = summary(book.open(), runs)["trials"]
    return in_order((one["settings"], one["value"], one["state"]) for one in found)


def in_order(results):
    return sorted(results, key=lambda one: sorted(one[0].items()))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "database"])
def test_two_machines_train_what_one_does_though_one_is_killed_and_clocks_differ(
    request, tmp_path, kind
):
    alone = small_sweep(tmp_path / "alone" / "s", sampler="random", pruner="none", runs=4)
    shared = tmp_path / "shared.log"
    storage = request.getfixturevalue("server").address if kind == "database" else str(shared)
    with other_machine(storage, tmp_path / "a", 4, 2, 7.5) as other:
        assert other.wait(timeout=300) == -signal.SIGKILL
    book = small_book(storage, tmp_path / "b")
    assert sorted(state for *_, state in results(book, 4)) == ["ended", "running"]
    work(book.open(), Work(4, 1))
    found = results(book, 4)
    assert [one for one in values_of(alone)[:3] if one not in found] == []
    # What was taken again has a number of its own, so that the last draw is another.
    assert [state for *_, state in found] == ["ended"] * 4
    runs = [sorted(run.name for run in (tmp_path / name).glob("trial-*")) for name in "ab"]
    assert runs[0] == ["trial-0000", "trial-0001"]  # the second was never whole
    assert (len(runs[1]), runs[1][0]) == (3, "trial-0001")


@pytest.mark.slow
def test_machines_that_work_at_the_same_time_share_the_trials(tmp_path):
    alone = small_sweep(tmp_path / "alone" / "s", sampler="random", pruner="none", runs=4)
    storage = str(tmp_path / "shared.log")
    book = small_book(storage, tmp_path / "b", lost=3600.0)
    with other_machine(storage, tmp_path / "a", 4, 0, -5.0) as other:
        work(book.open(), Work(4, 1))
        assert other.wait(timeout=300) == 0
    assert results(book, 4) == in_order(values_of(alone))


@pytest.mark.parametrize("comes_back", [True, False])
@pytest.mark.slow
def test_a_database_that_ends_in_the_middle_of_a_trial_costs_no_trial(
    server, tmp_path, monkeypatch, comes_back
):
    alone = small_sweep(tmp_path / "alone" / "s", sampler="random", pruner="none", runs=2)
    book = small_book(server.address, tmp_path / "b", name=f"ends {comes_back}")
    told = worker._Follower.told

    def ended(self, epoch, *more):
        if (self.claim.number, epoch) == (1, 2):
            server.stop()
            if comes_back:
                server.start()
        return told(self, epoch, *more)

    with monkeypatch.context() as patch:
        patch.setattr(worker._Follower, "told", ended)
        if comes_back:
            work(book.open(), Work(2, 1))
        else:
            with pytest.raises(RunError, match="same command again") as error:
                work(book.open(), Work(2, 1))
            assert PASSWORD not in str(error.value)
            server.start()
    work(book.open(), Work(2, 1))
    assert results(book, 2) == in_order(values_of(alone))
    assert not (tmp_path / "b" / "trial-0002").exists()
