"""The process that keeps the streams of workers: each stream has one owner at a time."""

import asyncio
from types import SimpleNamespace

from carousel.serve.keeper import Keeper
from carousel.serve.store import Kept


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
