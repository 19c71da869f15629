"""Streams that several servers share through Redis: a real one, which is stopped and started."""

import asyncio
import shutil
import signal
import socket
import subprocess
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
from served import steps

from carousel import runtime
from carousel.errors import RunError
from carousel.serve.server import prepare
from carousel.serve.service import Settings
from carousel.serve.sessions import Refused

redis = pytest.importorskip("redis", reason="the extra 'redis' is not installed")
pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="redis-server is not installed"
)
SETTINGS = Settings(most=50)


class Redis:
    """A server of Redis that writes down every word before it answers, or nothing at all."""

    def __init__(self, folder, *, keeps=True):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.keeps, self.url = folder, keeps, f"redis://127.0.0.1:{self.port}"
        self.begin()

    def begin(self):
        kept = ("yes", "always") if self.keeps else ("no", "no")
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--dir", str(self.folder), "--save", "",
             "--bind", "127.0.0.1", "--appendonly", kept[0], "--appendfsync", kept[1]],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        client = redis.Redis(port=self.port)
        while True:
            try:
                if client.ping():
                    break
            except redis.RedisError:
                assert self.process.poll() is None
        client.close()

    def end(self, sign=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(sign)
        self.process.wait(20)


@pytest.fixture
def store(tmp_path):
    found = Redis(tmp_path)
    yield found
    found.end()


@asynccontextmanager
async def serving(models, store, *, every=0.02, settings=SETTINGS):
    """A server of the frames on this loop; what it did not write is lost at its end."""
    server = prepare({"frames": models["frames"]}, settings, store.url, every)
    server.snapshots.begin()
    server.shared.begin()
    try:
        yield server
    finally:
        server.snapshots._task.cancel()
        await server.snapshots.write_beside(len, "")  # behind what is being written
        server.snapshots._store.close()
        server.shared.end()


async def steps_of(server, name, x, number=None):
    return (await server.taken(server.services["frames"], [name], x[None], number))[0]


async def left_behind(a, b, x, monkeypatch, numbers=(0, 2), unsaved=0):
    """Answers to steps 0 and 1 by server a, which hears nobody then, and to steps 2 and 3 by b,
    which does not wait for it: what a has is older. unsaved: steps that a took besides."""
    told = [*await steps_of(a, "a", x[:2], numbers[0])]
    await a.snapshots._write(a.services["frames"])
    if unsaved:
        await steps_of(a, "a", x[2 : 2 + unsaved], numbers[1])
    with monkeypatch.context() as hanging:
        hanging.setattr(a.shared, "_wanted", lambda *given: None)
        hanging.setattr("carousel.serve.redis_store._PATIENCE", 0.01)
        return [*told, *await steps_of(b, "a", x[2:4], numbers[1])]


def whole(models, x):
    return runtime.load(models["frames"]).predict(x)


def test_streams_that_wander_between_servers_are_told_the_whole(models, store):
    """Without numbers, in blocks: owners let go of what they have not written."""
    x, draw = [steps(30, n) for n in range(4)], np.random.default_rng(3)

    async def work():
        found = [[] for _ in x]
        async with serving(models, store, every=9) as a, serving(models, store, every=9) as b:

            async def wander(values, told):
                at = 0
                while at < len(values):
                    count = int(draw.integers(1, 5))
                    told += [*await steps_of((a, b)[draw.integers(2)], "s" + str(id(told)),
                                             values[at : at + count])]  # fmt: skip
                    at += count

            await asyncio.gather(*map(wander, x, found))
            assert a.shared.given > 0
            assert b.shared.given > 0
        return found

    for values, told in zip(x, asyncio.run(work()), strict=True):
        np.testing.assert_array_equal(told, whole(models, values))


def test_a_stream_of_a_server_that_is_gone_goes_on_from_its_last_snapshot(models, store):
    x = steps(9)

    async def work():
        async with serving(models, store, every=9) as a:
            told = [*await steps_of(a, "a", x[:4], 0)]
            await a.snapshots._write(a.services["frames"])
            await steps_of(a, "a", x[4:6], 4)  # which nothing keeps
        async with serving(models, store) as b:
            with pytest.raises(Refused, match="expects step 4 next"):
                await steps_of(b, "a", x[6:], 6)
            assert (await steps_of(b, "a", x[:4], 0) == told).all()  # asked again
            return [*told, *(await steps_of(b, "a", x[4:], 4))]

    np.testing.assert_array_equal(asyncio.run(work()), whole(models, x))


def test_who_was_overruled_writes_nothing_and_forgets_its_copy(models, store, monkeypatch):
    x = steps(6)

    async def work():
        async with serving(models, store, every=9) as a, serving(models, store, every=9) as b:
            told = await left_behind(a, b, x, monkeypatch, numbers=(None, None))
            service = a.services["frames"]
            await service.steps(["a"], np.zeros((1, 1, 2)))  # a stale copy
            await a.snapshots._write(service)
            assert "a" not in service.sessions.slots
            return [*told, *await steps_of(a, "a", x[4:])]

    np.testing.assert_array_equal(asyncio.run(work()), whole(models, x))


def test_a_gap_that_comes_of_a_stale_copy_is_none(models, store, monkeypatch):
    x = steps(6)

    async def work():
        async with serving(models, store, every=9) as a, serving(models, store, every=9) as b:
            told = await left_behind(a, b, x, monkeypatch)
            with pytest.raises(Refused, match="expects step 4"):
                await steps_of(a, "a", x[5:], 5)
            return [*told, *await steps_of(a, "a", x[4:], 4)]

    np.testing.assert_array_equal(asyncio.run(work()), whole(models, x))


@pytest.mark.parametrize("keeps", [True, False])
def test_redis_restarted_under_load_loses_no_numbered_step(models, tmp_path, keeps):
    store, x = Redis(tmp_path, keeps=keeps), [steps(400, n) for n in range(3)]

    async def work():
        told = [{} for _ in x]
        async with serving(models, store) as a, serving(models, store) as b:

            async def load(n):
                at = 0
                while at < len(x[n]):
                    # A Redis that forgets all has nothing for others until all is written again.
                    server = (a, b)[at // 50 % 2] if keeps else a
                    try:
                        now = await steps_of(server, f"s{n}", x[n][at : at + 2], at)
                    except Refused as error:
                        if error.code == "gap":  # an owner could not write what it gave away
                            at = error.facts["expected"]
                        await asyncio.sleep(0.01)
                        continue
                    for step, answer in enumerate(now, at):
                        np.testing.assert_array_equal(told[n].setdefault(step, answer), answer)
                    at += len(now)

            async def trouble():
                for part in (1, 2, 3):
                    while len(told[0]) < 100 * part:
                        await asyncio.sleep(0.001)
                    await asyncio.to_thread(store.end)
                    await asyncio.to_thread(store.begin)

            await asyncio.gather(trouble(), *(load(n) for n in range(3)))
            for server in (a, b):
                sessions = server.services["frames"].sessions
                while (sessions.saved < sessions.accepted).any() or sessions.changed.any():
                    await asyncio.sleep(0.01)
        async with serving(models, store) as c:
            await c.present(c.services["frames"], ["s0", "s1", "s2"])
            assert c.services["frames"].sessions.accepted.sum() == 1200
        return told

    try:
        for values, found in zip(x, asyncio.run(work()), strict=True):
            np.testing.assert_array_equal([found[n] for n in range(400)], whole(models, values))
    finally:
        store.end()


def test_a_stream_that_is_closed_is_gone_everywhere_and_one_that_is_asked_about_is_not_made(
    models, store
):
    async def work():
        async with serving(models, store, every=9) as a, serving(models, store, every=9) as b:
            first, second = a.services["frames"], b.services["frames"]
            await steps_of(a, "a", steps(3))
            await b.present(second, ["a"], make=False)
            assert second.sessions.accepted[second.sessions.slots["a"]] == 3
            assert second.sessions.remove("a")
            assert len(await steps_of(b, "a", steps(1), 0)) == 1  # anew, before it is written
            second.sessions.remove("a")
            await b.snapshots._write(second)
            await a.present(first, ["a", "never"], make=False)
            assert len(first.sessions) == 0

    asyncio.run(work())


def test_too_many_streams_are_refused_before_the_store_is_asked(models, store):
    async def work():
        async with serving(models, store, settings=replace(SETTINGS, most=2)) as a:
            with pytest.raises(Refused, match="2 is the most"):
                await a.present(a.services["frames"], ["a", "b", "c"])
            await a.present(a.services["frames"], ["a", "b"])

    asyncio.run(work())


def test_a_redis_that_does_not_answer_is_named(models):
    with pytest.raises(RunError, match="cannot be kept in Redis"):
        prepare({"frames": models["frames"]}, SETTINGS, "redis://127.0.0.1:1")


@pytest.mark.parametrize("url", ["redis://here:port", "redis://here?socket_timeout=soon"])
def test_an_address_that_is_none_is_refused_in_words(models, url):
    with pytest.raises(RunError, match="address of Redis"):
        prepare({"frames": models["frames"]}, SETTINGS, url)


def test_a_copy_that_is_stale_and_further_is_none(models, store, monkeypatch):
    """Steps that it took and did not keep were sent to another again."""
    x = steps(6)

    async def work():
        async with serving(models, store, every=9) as a, serving(models, store, every=9) as b:
            told = await left_behind(a, b, x, monkeypatch, unsaved=4)
            return [*told, *await steps_of(a, "a", x[4:5], 4), *await steps_of(a, "a", x[5:], 5)]

    np.testing.assert_array_equal(asyncio.run(work()), whole(models, x))


def test_no_gap_is_claimed_of_a_copy_that_may_be_stale(models, store, monkeypatch):
    """While Redis is away nobody knows; a client that went back would find its steps taken."""
    x = steps(6)

    async def work():
        async with serving(models, store, every=9) as a, serving(models, store, every=9) as b:
            told = await left_behind(a, b, x, monkeypatch)
            await b.snapshots._write(b.services["frames"])
            store.end()
            with pytest.raises(Refused, match="out of their order") as refused:
                await steps_of(a, "a", x[4:], 4)
            assert (refused.value.code, refused.value.status) == ("no_store", 503)
            store.begin()
            return [*told, *await steps_of(a, "a", x[4:], 4)]

    np.testing.assert_array_equal(asyncio.run(work()), whole(models, x))


def test_a_stream_that_leaves_while_another_is_fetched_is_fetched_again(models, store):
    x = np.stack([steps(5, n) for n in range(2)])

    async def work():
        async with serving(models, store, every=9) as a, serving(models, store, every=9) as b:
            loop, take, asked = asyncio.get_running_loop(), a.shared._store.take, []
            told = [(await steps_of(a, "x", x[0, :3]))]

            def slow(model, print, names, make):
                asked.append(names)
                if len(asked) == 1:  # just now, another server asks for the one that is here
                    other = b.present(b.services["frames"], ["x"])
                    asyncio.run_coroutine_threadsafe(other, loop).result(20)
                return take(model, print, names, make)

            a.shared._store.take = slow
            given = np.stack((x[0, 3:], x[1, :2]))
            both = await a.taken(a.services["frames"], ["x", "y"], given, None)
            assert asked[:2] == [["y"], ["x"]]
            return np.concatenate((told[0], both[0])), both[1]

    first, second = asyncio.run(work())
    np.testing.assert_array_equal(first, whole(models, x[0]))
    np.testing.assert_array_equal(second, whole(models, x[1])[:2])
