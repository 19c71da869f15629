"""A sweep whose workers share a database and no folder: a real PostgreSQL, which crashes, too."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from small import small_config

from carousel.errors import RunError
from carousel.sweep.ledger import Ledger, Patience
from carousel.sweep.plan import Plan
from carousel.sweep.space import parse
from carousel.sweep.storage import shown

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
