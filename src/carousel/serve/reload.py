"""Weights of a served model changed in place: its streams go on from where they are."""

from __future__ import annotations

import asyncio

import numpy as np

from carousel.errors import CarouselError, ConfigError
from carousel.serve.service import Service
from carousel.serve.snapshots import Snapshots
from carousel.terminal import logger, notice


async def reload_all(services: list[Service], snapshots: Snapshots | None = None) -> int:
    """Read these models anew from their folders. Returns how many were refused: they stay as they
    are, and the log says why. snapshots: keep the streams for the new weights at once, as neither
    another server nor a restart finds those of the weights before."""
    refused = 0
    for service in services:
        try:
            fresh = await asyncio.to_thread(Service, service.name, service.folder, service.settings)
            await service.finish()  # what waits was scaled for the weights before
            count = adopt(service, fresh)
        except (CarouselError, OSError) as error:
            refused += 1
            logger.error("%s goes on with the weights that it has: %s", service.name, error)
        else:
            notice(f"{service.name} was read anew: {count:,} streams go on with its weights")
            if snapshots is not None:
                await snapshots.now(service)
    return refused


def adopt(service: Service, fresh: Service) -> int:
    """Go on with the weights of another service, which nobody has used. Returns the number of
    streams. Raises `ConfigError`, naming what differs, for a model of another architecture, whose
    states are none of ours."""
    for part, known in service.design.items():
        if (got := fresh.design[part]) != known:
            raise ConfigError(
                f"the model in {service.folder} has other {part}, {_short(got)}, than the one that "
                f"is served, {_short(known)}: its streams cannot go on; restart the server"
            )
    before = service.streams
    slots = np.arange(before.capacity)
    with service.engine.pausing():
        fresh.streams.grow(before.capacity)
        fresh.streams.restore(slots, before.states(slots))
        service.kind, service.columns, service.answers = fresh.kind, fresh.columns, fresh.answers
        service.streams = service.engine.streams = fresh.streams
        service.print = fresh.print
    sessions = service.sessions
    sessions.changed[sessions.slots_of(list(sessions.slots))] = True  # they belong to other weights
    service.reloads += 1
    return len(sessions)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 200 else text[:199] + "…"
