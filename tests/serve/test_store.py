"""States over restarts: what is kept, what is forgotten, and a store that cannot be written."""

import asyncio
import threading
from dataclasses import replace

import numpy as np
import pytest
from served import steps

from carousel import runtime
from carousel.errors import RunError
from carousel.serve.server import prepare
from carousel.serve.service import Settings
from carousel.serve.store import Kept, NotKept, SQLiteStore
from carousel.terminal import NOTICE

SETTINGS = Settings(most=100)


@pytest.fixture
def begin(models, tmp_path):
    """A server of some models with one file of states, and how to end it."""

    def make(*names, settings=SETTINGS, folder=None):
        chosen = {name: folder or models[name] for name in names}
        return prepare(chosen, settings, tmp_path / "deep" / "states.sqlite")

    return make


def run(server, work, *, crash=False):
    """Do work on the server's loop, with snapshots only at the end, or none where it crashes."""

    async def whole():
        found = await work(server)
        if not crash:
            await server.drain()
            await server.snapshots.end()
        return found

    return asyncio.run(whole())


def sending(model, names, x, first=None):
    async def work(server):
        numbers = None if first is None else np.full(len(names), first)
        return await server.services[model].steps(names, x, numbers)

    return work


@pytest.mark.parametrize("name", ["frames", "changes"])
def test_streams_go_on_bit_for_bit_after_a_restart(begin, models, name):
    x, names = np.stack([steps(9, n) for n in range(5)]), [f"s{n} ü" for n in range(5)]
    first = run(begin(name), sending(name, names, x[:, :4]))
    order = [3, 0, 4, 1, 2]
    rest = run(begin(name), sending(name, [names[n] for n in order], x[order, 4:]))
    model = runtime.load(models[name])
    for row, values in enumerate(x):
        model.reset()
        wanted = [model.step(step[None])[0] for step in values]
        np.testing.assert_array_equal([*first[row], *rest[order.index(row)]], wanted)


def test_numbers_and_the_last_answers_are_kept(begin):
    x = steps(5)[None]
    first = run(begin("frames"), sending("frames", ["a"], x[:, :3], 0))
    server = begin("frames")
    assert (
        server.services["frames"].sessions.saved[server.services["frames"].sessions.slots["a"]] == 3
    )
    again = run(server, sending("frames", ["a"], x[:, :3], 0))
    np.testing.assert_array_equal(again, first)


def test_after_a_crash_the_last_snapshot_counts_and_says_what_it_expects(begin):
    run(begin("frames"), sending("frames", ["a"], steps(3)[None], 0))
    run(begin("frames"), sending("frames", ["a"], steps(2)[None], 3), crash=True)
    with pytest.raises(Exception, match="expects step 3 next"):
        run(begin("frames"), sending("frames", ["a"], steps(2)[None], 5))


def test_streams_that_were_closed_or_idle_stay_away(begin):
    async def work(server):
        service = server.services["frames"]
        await service.steps(["a", "b", "c"], np.zeros((3, 1, 2)))
        await server.snapshots._write(service)
        assert service.sessions.remove("b")

    run(begin("frames"), work)
    server = begin("frames")
    assert sorted(server.services["frames"].sessions.slots) == ["a", "c"]
    run(server, sending("frames", ["b"], np.zeros((1, 1, 2)), 0))
    short = begin("frames", settings=replace(SETTINGS, idle=1e-9))
    service = short.services["frames"]
    assert service.sessions.expire(service.engine.clock() + 1) == 3
    run(short, sending("frames", ["d"], np.zeros((1, 1, 2)), 0))
    assert sorted(begin("frames").services["frames"].sessions.slots) == ["d"]


def test_states_of_other_weights_are_left_alone_and_said(begin, models, caplog):
    run(begin("frames"), sending("frames", ["a"], steps(3)[None]))
    with caplog.at_level(NOTICE, "carousel"):
        server = begin("frames", folder=models["numbers"])
    assert len(server.services["frames"].sessions) == 0
    assert "1 streams of frames were kept for other weights" in caplog.text
    server.snapshots._store.close()
    assert len(begin("frames").services["frames"].sessions) == 1


def test_a_store_that_cannot_be_written_loses_nothing_of_what_is_there(begin):
    class Full:
        calls = 0

        def write(self, *given):
            self.calls += 1
            if self.calls == 1:
                raise NotKept("the disk is full")
            self.given = given

        def close(self):
            pass

    async def work(server):
        service, store = server.services["frames"], Full()
        server.snapshots._store.close()
        server.snapshots._store = store
        await service.steps(["a", "b"], np.zeros((2, 1, 2)))
        service.sessions.remove("b")
        with pytest.raises(NotKept):
            await server.snapshots._write(service)
        assert service.sessions.saved.sum() == 0
        await server.snapshots._write(service)
        assert service.sessions.saved.sum() == 1
        return store.given

    _, _, kept, gone = run(begin("frames"), work)
    assert [one.name for one in kept] == ["a"]
    assert gone == ["b"]


def test_a_write_is_whole_or_not_at_all(tmp_path):
    store = SQLiteStore(tmp_path / "s.sqlite")
    store.write("m", "p", [Kept("a", 1, 2.0, b"x")], [])
    with pytest.raises(NotKept, match="the states of m were not kept"):
        store.write("m", "p", [Kept("b", 1, 2.0, b"x"), Kept("c", 1, 2.0, None)], ["a"])
    assert [*store.read("m", "p")] == [Kept("a", 1, 2.0, b"x")]
    store.close()


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "s.sqlite").write_text("nothing of the kind" * 99)
    with pytest.raises(RunError, match=r"s\.sqlite"):
        SQLiteStore(tmp_path / "s.sqlite")


def test_a_stream_that_is_closed_and_made_anew_is_kept(begin):
    """Also where steps of the one before are still under way when the snapshot is written."""

    async def work(server):
        service = server.services["frames"]
        under_way = service.steps(["a"], np.zeros((1, 400, 2)))
        service.sessions.remove("a")
        await service.steps(["a"], steps(1)[None])
        await server.snapshots._write(service)
        await under_way

    run(begin("frames"), work)
    server = begin("frames")
    sessions = server.services["frames"].sessions
    assert sessions.accepted[sessions.slots["a"]] == 1
    server.snapshots._store.close()


def test_states_of_other_weights_stay_beside_a_stream_of_the_same_name(begin, models):
    run(begin("frames"), sending("frames", ["a"], steps(3)[None]))
    run(begin("frames", folder=models["numbers"]), sending("frames", ["a"], steps(2)[None]))
    sessions = begin("frames").services["frames"].sessions
    assert sessions.accepted[sessions.slots["a"]] == 3


def test_a_write_that_is_broken_off_is_written_again(begin):
    class Slow:
        def __init__(self, store):
            self.store = store

        def write(self, *given):
            raise KeyError("a defect")

        def close(self):
            self.store.close()

    async def work(server):
        service, store = server.services["frames"], server.snapshots._store
        await service.steps(["a"], np.zeros((1, 1, 2)))
        server.snapshots._store = Slow(store)
        with pytest.raises(KeyError):
            await server.snapshots._write(service)
        server.snapshots._store = store

    run(begin("frames"), work)
    assert "a" in begin("frames").services["frames"].sessions.slots


def test_the_end_writes_again_what_could_not_be_written_just_then(begin):
    server = begin("frames")
    write, calls, go = server.snapshots._store.write, [], threading.Event()

    def fails_once(*given):
        calls.append(given)
        if len(calls) == 1:
            assert go.wait(20)
            raise NotKept("full")
        return write(*given)

    async def work():
        service, server.snapshots._store.write = server.services["frames"], fails_once
        server.snapshots.every = 0
        await service.steps(["a"], steps(3)[None])
        server.snapshots.begin()
        while not calls:
            await asyncio.sleep(0.001)
        ending = asyncio.create_task(server.snapshots.end())
        for _ in range(5):
            await asyncio.sleep(0)
        go.set()
        await ending

    asyncio.run(work())
    assert [*begin("frames").services["frames"].sessions.slots] == ["a"]


def test_a_model_that_cannot_be_kept_at_the_end_keeps_no_other_from_it(begin):
    server = begin("numbers", "frames")
    write = server.snapshots._store.write

    def fails(model, *given):
        if model == "numbers":
            raise NotKept("full")
        return write(model, *given)

    async def work():
        server.snapshots._store.write = fails
        for service in server.services.values():
            await service.steps(["a"], steps(3)[None])
        with pytest.raises(NotKept):
            await server.snapshots.end()

    asyncio.run(work())
    assert len(begin("frames").services["frames"].sessions) == 1


def test_answers_that_are_kept_hold_no_others_of_their_batch(begin):
    async def work(server):
        service = server.services["frames"]
        calls = [service.steps([f"s{n}"], steps(2, n)[None], np.zeros(1, int)) for n in range(5)]
        await asyncio.gather(*calls)
        assert service.engine.counts.batches == 1
        return [service.sessions.reply_of(slot)[0].answers for slot in range(5)]

    assert all(answers.base is None for answers in run(begin("frames"), work))
