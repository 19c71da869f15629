"""Processes that share a port: streams come back through any of them, and after a death of one."""

import os
import re
import signal
import threading
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from served import Served, chances, steps

from carousel import runtime
from carousel.client import Client


@pytest.fixture
def serve(models, tmp_path):
    """Start two workers of the frames; what still runs is ended."""
    begun = []

    def start(*options):
        log, model = tmp_path / "log", f"frames={models['frames']}"
        begun.append(Served(log, model, "--workers", "2", "--snapshot", "0.05", *options))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.end()


def workers_of(server):
    """Processes of the workers, without that which tracks resources of theirs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            text = (path.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(fields[1]) == server.process.pid and "spawn_main" in text:
            found.append(int(path.parent.name))
    return found


def by_worker(server, name):
    with urlopen(f"{server.url}metrics") as answer:
        text = answer.read().decode()
    found = re.findall(rf'{name}{{worker="(\d)",model="frames"}} (\d+)', text)
    return {int(worker): int(count) for worker, count in found}


def send(url, name, x, at, pieces):
    """Send x over a connection of its own for each piece, from step `at` on."""
    told = []
    for piece in np.array_split(x, pieces):
        with Client(url, patience=30) as client:
            path = f"/v1/models/frames/streams/{name}/steps"
            body = {"steps": piece.tolist(), "number": at + len(told)}
            told += client.ask("POST", path, body)["answers"]
    return told


def test_streams_go_through_all_workers_bit_for_bit(serve, models):
    server = serve()
    x, told = [steps(24, n) for n in range(6)], {}

    def one(n):
        told[n] = send(server.url, f"s{n}", x[n], 0, 12)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    model = runtime.load(models["frames"])
    for n, values in enumerate(x):
        np.testing.assert_array_equal(chances(told[n]), model.predict(values))
    taken = by_worker(server, "carousel_steps_total")
    while sum(taken.values()) < 6 * 24:  # figures of the others come every second
        taken = by_worker(server, "carousel_steps_total")
    assert sorted(taken) == [0, 1]
    assert min(taken.values()) > 0
    assert server.end() == 0


@pytest.mark.slow
def test_a_worker_that_dies_is_begun_anew_and_numbered_streams_go_on(serve, models, tmp_path):
    state = ("--state", tmp_path / "s.sqlite")
    server = serve(*state)
    x = [steps(60, n) for n in range(4)]
    clients = [Client(server.url, patience=60) for _ in x]
    streams = [client.stream("frames", f"s{n}") for n, client in enumerate(clients)]
    told, before = [[] for _ in x], set(workers_of(server))
    assert len(before) == 2
    for at in range(60):
        if at in (20, 40):
            while len(alive := workers_of(server)) < 2:  # the one begun anew may not be there yet
                os.sched_yield()
            os.kill(alive[at // 40], signal.SIGKILL)
        for stream, values, found in zip(streams, x, told, strict=True):
            found += stream.steps(values[at : at + 1].tolist())
    for values, found in zip(x, told, strict=True):
        np.testing.assert_array_equal(
            chances(found), runtime.load(models["frames"]).predict(values)
        )
    while len(now := workers_of(server)) < 2:
        pass
    assert set(now) != before
    for client in clients:
        client.close()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    server.process.stdout.close()
    server = serve(*state)
    with Client(server.url) as client:
        assert [client.stream("frames", f"s{n}").taken for n in range(4)] == [60] * 4
    assert server.end() == 0


def test_workers_end_where_their_keeper_is_killed(serve):
    server = serve()
    workers = workers_of(server)
    assert len(workers) == 2
    server.kill()
    for one in workers:  # or the test hangs, which is ended from outside
        while running(one):
            os.sched_yield()


def running(process):
    """Whether a process runs: one that nobody waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
