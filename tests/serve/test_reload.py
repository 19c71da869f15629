"""Weights that are read anew: streams go on with them from where they are, or are left alone."""

import asyncio
import shutil

import numpy as np
import pytest
import torch
from saved_models import save_model
from served import steps

from carousel import bundle, runtime
from carousel.errors import ConfigError
from carousel.serve.reload import adopt, reload_all
from carousel.serve.scheduler import Limits
from carousel.serve.server import prepare
from carousel.serve.service import Service, Settings

SETTINGS = Settings(most=50)


@pytest.fixture
def folder(models, tmp_path):
    """A copy of the model of frames, which a test may change."""
    shutil.copytree(models["frames"], tmp_path / "frames")
    return tmp_path / "frames"


def change(folder):
    """Other weights of the same shapes."""
    trained = bundle.load(folder / "model")
    with torch.no_grad():
        for parameter in trained.model.parameters():
            parameter.mul_(0.7)
    shutil.rmtree(folder / "model")
    bundle.save(trained, folder / "model")


def test_streams_go_on_with_other_weights_from_their_states(folder):
    x = np.stack([steps(8, n) for n in range(3)])
    before = runtime.load(folder)
    wanted = []
    for values in x:
        before.reset()
        for step in values[:5]:
            before.step(step[None])
        wanted.append(before.state)

    async def work():
        server = prepare({"frames": folder}, SETTINGS, folder / "s.sqlite")
        service = server.services["frames"]
        under_way = service.steps(["a", "b", "c"], x[:, :5])
        prints = [service.print]
        await under_way
        change(folder)
        assert await reload_all([service]) == 0
        prints.append(service.print)
        found = await service.steps(["a", "b", "c"], x[:, 5:], np.full(3, 5))
        await server.snapshots.end()
        return found, prints

    found, prints = asyncio.run(work())
    assert prints[0] != prints[1]
    after = runtime.load(folder)
    for row, values in enumerate(x):
        after.state = wanted[row]
        told = [after.step(step[None])[0] for step in values[5:]]
        np.testing.assert_array_equal(found[row], told)
    again = prepare({"frames": folder}, SETTINGS, folder / "s.sqlite")
    sessions = again.services["frames"].sessions
    assert sessions.accepted[sessions.slots_of(["a", "b", "c"])].tolist() == [8, 8, 8]
    again.snapshots._store.close()


@pytest.mark.parametrize(
    ("settings", "facts", "named"),
    [(["model.hidden_size=7", "model.num_layers=2"], {}, "layers"),
     (["model.hidden_size=9", "model.num_layers=2", "model.cell=gru"], {}, "layers"),
     (["model.hidden_size=9", "model.num_layers=2"], {"columns": ["p", "q"]}, "columns")],
)  # fmt: skip
def test_another_architecture_is_refused_by_what_differs_and_nothing_is_lost(
    folder, settings, facts, named, caplog
):
    async def work():
        service = Service("frames", folder, SETTINGS)
        first = await service.steps(["a"], steps(3)[None])
        shutil.rmtree(folder / "model")
        save_model(folder, "label_frames", *settings, **facts)
        with pytest.raises(ConfigError, match=f"has other {named}"):
            adopt(service, Service("frames", folder, SETTINGS))
        assert await reload_all([service]) == 1
        return [*first[0], *(await service.steps(["a"], steps(6)[None, 3:]))[0]]

    model = runtime.load(folder)
    np.testing.assert_array_equal(asyncio.run(work()), model.predict(steps(6)))
    assert "goes on with the weights that it has" in caplog.text


def test_a_folder_that_is_damaged_is_refused(folder):
    async def work():
        service = Service("frames", folder, SETTINGS)
        (folder / "model" / "weights.safetensors").write_bytes(b"nothing")
        assert await reload_all([service]) == 1

    asyncio.run(work())


def test_streams_are_kept_for_the_new_weights_at_once(folder, tmp_path):
    x = steps(5)

    async def work():
        server = prepare({"frames": folder}, SETTINGS, tmp_path / "s.sqlite")
        service = server.services["frames"]
        await service.steps(["a"], x[None])
        change(folder)
        assert await reload_all([service], server.snapshots) == 0
        server.snapshots._store.close()  # and so it ends

    asyncio.run(work())
    server = prepare({"frames": folder}, SETTINGS, tmp_path / "s.sqlite")
    sessions = server.services["frames"].sessions
    assert sessions.accepted[sessions.slots["a"]] == 5
    server.snapshots._store.close()


def test_steps_that_wait_are_answered_with_the_weights_that_they_were_scaled_for(folder):
    x, before = steps(40), runtime.load(folder)

    async def work():
        service = Service("frames", folder, Settings(most=50, limits=Limits(max_wait=600)))
        waiting = service.steps(["a"], x[None])
        change(folder)
        assert await reload_all([service]) == 0
        assert waiting.done()
        return (await waiting)[0]

    np.testing.assert_array_equal(asyncio.run(work()), before.predict(x))


def test_a_reload_waits_for_the_batch_that_is_computed_beside(folder, monkeypatch):
    """And for the rest of its block, before the weights change."""
    x, before = steps(40), runtime.load(folder)
    monkeypatch.setattr("carousel.serve.service._LONG", -1.0)  # every batch is one

    async def work():
        service = Service("frames", folder, SETTINGS)
        fresh = Service("frames", folder, SETTINGS)
        waiting = service.steps(["a"], x[None])
        while not service._computing:
            await asyncio.sleep(0)
        await service.finish()
        assert (service.waiting, adopt(service, fresh)) == (0, 1)
        return (await waiting)[0], (await service.steps(["a"], steps(43)[None, 40:]))[0]

    told = np.concatenate(asyncio.run(work()))
    np.testing.assert_array_equal(told, before.predict(steps(43)))
