"""Standing of a server, as its page shows it: load, latencies, streams, batches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from carousel.serve.app import Server
    from carousel.serve.service import Service

_SECONDS = 60.0  # of which latencies are told


def status(server: Server) -> dict[str, Any]:
    """Counts since the start, and what holds now, of every model."""
    kept = server.snapshots is not None
    return {
        "process": os.getpid(),  # counts of another worker are no continuation of these
        "draining": server.draining,
        "models": [_of(service, kept) for service in server.services.values()],
        "requests": sum(server.requests.values()),
        "errors": sum(n for (_, code), n in server.requests.items() if code >= 400),
    }


def streams(service: Service, most: int) -> dict[str, Any]:
    """The streams of a model that stepped last, with their numbers of steps."""
    sessions, now = service.sessions, service.engine.clock()
    slots = np.fromiter(sessions.slots.values(), np.int64, len(sessions.slots))
    if len(slots) > most:
        slots = slots[np.argpartition(-sessions.seen[slots], most)[:most]]
    slots = slots[np.argsort(-sessions.seen[slots], kind="stable")]
    found = [
        {
            "stream": sessions.names[slot],
            "steps": int(sessions.accepted[slot]),
            "saved": int(sessions.saved[slot]),
            "idle": round(float(now - sessions.seen[slot]), 3),
        }
        for slot in slots.tolist()
    ]
    return {"streams": found, "count": len(sessions)}


def _of(service: Service, kept: bool) -> dict[str, Any]:
    counts, sessions = service.engine.counts, service.sessions
    told = service.latencies.percentiles(service.engine.clock() - _SECONDS)
    median, high = (None, None) if told is None else (1000 * told[0], 1000 * told[1])
    return {
        "model": service.name,
        "task": service.task,
        "streams": len(sessions),
        "waiting": service.waiting,
        "steps": counts.steps,
        "batches": counts.batches,
        "rows": counts.rows,
        "seconds": counts.seconds,
        "p50_ms": median,
        "p99_ms": high,
        "batch_sizes": {str(size): counts.batch_rows[size] for size in sorted(counts.batch_rows)},
        "opened": sessions.figures.opened,
        "expired": sessions.figures.expired,
        "refused": sessions.figures.refused,
        "repeated": sessions.figures.repeated,
        "unsaved": int((sessions.accepted - sessions.saved).sum()) if kept else None,
    }
