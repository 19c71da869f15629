"""The process that keeps the streams of workers: each stream has one owner at a time."""

import asyncio
import time
from types import SimpleNamespace

from carousel.serve.keeper import Keeper, Streams
from carousel.serve.store import Kept, SQLiteStore


async def turns():
    """Let everybody go on who can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_worker_that_waits_for_one_stream_owns_the_others_that_it_asked_for():
    async def work():
        keeper, asked = Keeper(None, 60), []
        keeper._lines = {
            n: SimpleNamespace(write=lambda _, n=n: asked.append(n)) for n in (1, 2, 3)
        }
        await keeper._do_take(3, "m", "p", ["x"], True)
        first = asyncio.create_task(keeper._do_take(1, "m", "p", ["x", "y"], True))
        await turns()
        second = asyncio.create_task(keeper._do_take(2, "m", "p", ["y"], True))
        await turns()
        assert asked == [3, 1]
        await keeper._do_give(3, "m", "p", [Kept("x", 2, 1.0, b"x")], ["x"])
        assert [one and one.steps for one in await first] == [2, None]
        assert not second.done()
        await keeper._do_give(1, "m", "p", [Kept("y", 7, 1.0, b"y")], ["y"])
        assert [one.steps for one in await second] == [7]
        await keeper.end()

    asyncio.run(work())


def test_a_stream_that_is_only_asked_about_is_owned_by_nobody():
    async def work():
        keeper = Keeper(None, 60)
        keeper._lines = {n: SimpleNamespace(write=lambda _: None) for n in (1, 2)}
        await keeper._do_take(1, "m", "p", ["made", "x"], True)
        asking = asyncio.create_task(keeper._do_take(2, "m", "p", ["x", "never"], False))
        await turns()
        await keeper._do_give(1, "m", "p", [], ["x"])  # it took no step
        assert await asking == [None, None]
        assert keeper._models["m", "p"].owners == {"made": 1}
        await keeper.end()

    asyncio.run(work())


def test_a_worker_that_died_while_it_waited_for_a_stream_holds_nobody_up():
    async def work():
        keeper = Keeper(None, 60)
        keeper._lines = {n: SimpleNamespace(write=lambda _: None) for n in (1, 2, 3)}
        await keeper._do_take(1, "m", "p", ["x"], True)
        waiting = asyncio.create_task(keeper._do_take(2, "m", "p", ["x"], True))
        await turns()
        keeper._leave(2)
        await keeper._do_give(1, "m", "p", [Kept("x", 2, 1.0, b"x")], ["x"])
        await waiting
        assert [one.steps for one in await keeper._do_take(3, "m", "p", ["x"], True)] == [2]
        assert keeper._models["m", "p"].owners == {"x": 3}
        await keeper.end()

    asyncio.run(work())


def test_weights_that_come_while_it_forgets_streams_are_no_trouble(monkeypatch, tmp_path):
    monkeypatch.setattr("carousel.serve.keeper._SWEEP", 0)

    async def work():
        keeper = Keeper(SQLiteStore(tmp_path / "s.sqlite"), 60)
        old, new = Kept("old", 1, time.time() - 61, b"x"), Kept("new", 1, time.time(), b"x")
        await keeper._do_give(1, "m", "p", [old, new], ["old", "new"])
        stored = keeper._stored

        async def slow(what, *given):
            await stored(what, *given)
            keeper._models.setdefault(("m", "other weights"), Streams({}))

        keeper._stored = slow
        sweep = asyncio.create_task(keeper.sweep())
        while ("m", "other weights") not in keeper._models:
            await asyncio.sleep(0)
        await turns()
        assert not sweep.done()
        sweep.cancel()
        assert [*keeper._models["m", "p"].kept] == ["new"]
        await asyncio.wait([sweep])
        keeper._stored = stored
        assert [one.name for one in await stored("read", "m", "p")] == ["new"]
        await keeper.end()

    asyncio.run(work())
