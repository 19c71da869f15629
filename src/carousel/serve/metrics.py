"""Figures of a server as Prometheus reads them; every name begins with carousel_."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carousel.serve.app import Server
    from carousel.serve.service import Service


def figures(server: Server) -> str:
    """Text of the figures, in the format of Prometheus."""
    lines: list[str] = []
    samples: dict[str, list[str]] = {}
    kinds: dict[str, tuple[str, str]] = {}
    for service in server.services.values():
        for name, kind, words, value in _of(service):
            kinds[name] = (kind, words)
            samples.setdefault(name, []).append(f'{name}{{model="{service.name}"}} {value}')
    for name, (kind, words) in kinds.items():
        lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}", *samples[name]]
    lines += _batches(server)
    lines += ["# HELP carousel_requests_total Requests of HTTP.",
              "# TYPE carousel_requests_total counter"]  # fmt: skip
    for (route, status), count in sorted(server.requests.items()):
        lines.append(f'carousel_requests_total{{route="{route}",status="{status}"}} {count}')
    if server.snapshots is not None:
        lines += [
            "# HELP carousel_snapshot_seconds Time that the last snapshot took.",
            "# TYPE carousel_snapshot_seconds gauge",
            f"carousel_snapshot_seconds {server.snapshots.lag:g}",
            "# HELP carousel_snapshot_failures_total Snapshots that the store refused.",
            "# TYPE carousel_snapshot_failures_total counter",
            f"carousel_snapshot_failures_total {server.snapshots.failed}",
        ]
    if server.shared is not None:
        lines += [
            "# HELP carousel_moved_total Streams that came from the store, or went to others.",
            "# TYPE carousel_moved_total counter",
            f'carousel_moved_total{{to="here"}} {server.shared.taken}',
            f'carousel_moved_total{{to="others"}} {server.shared.given}',
        ]
    return "\n".join(lines) + "\n"


def together(texts: Mapping[int, str]) -> str:
    """Figures of several workers in one text, each with the number of its worker.

    >>> text = "# TYPE steps counter\\nsteps{model=\\"m\\"} 3\\nlag 0.5\\n"
    >>> print(together({0: text, 1: "lag 2\\n"}), end="")
    # TYPE steps counter
    steps{worker="0",model="m"} 3
    lag{worker="0"} 0.5
    lag{worker="1"} 2
    """
    words: dict[str, None] = {}
    samples: dict[str, list[str]] = {}
    for worker, text in sorted(texts.items()):
        metric = ""
        for line in text.splitlines():
            if line.startswith("#"):
                metric = line.split()[2]
                samples.setdefault(metric, [])
                words[line] = None
                continue
            name, sign, rest = line.partition("{")
            if not sign:
                name, _, rest = line.partition(" ")
            key = metric if metric and name.startswith(metric) else name
            rest = f",{rest}" if sign else f"}} {rest}"
            samples.setdefault(key, []).append(f'{name}{{worker="{worker}"{rest}')
    lines: list[str] = []
    for metric, found in samples.items():
        lines += [line for line in words if line.split()[2] == metric] + found
    return "\n".join(lines) + "\n"


def _of(service: Service) -> Iterator[tuple[str, str, str, float]]:
    counts, sessions = service.engine.counts, service.sessions
    seen = sessions.figures
    unsaved = int((sessions.accepted - sessions.saved).sum())
    yield "carousel_streams", "gauge", "Streams that are open.", len(sessions)
    yield (
        "carousel_steps_waiting",
        "gauge",
        "Steps that are unanswered.",
        service.waiting,
    )
    yield "carousel_steps_unsaved", "gauge", "Steps that no snapshot has.", unsaved
    yield "carousel_steps_total", "counter", "Steps of streams.", counts.steps
    yield "carousel_batches_total", "counter", "Batches.", counts.batches
    yield "carousel_step_seconds_total", "counter", "Time of computing.", counts.seconds
    yield "carousel_groups_total", "counter", "Groups of steps that came together.", counts.groups
    yield "carousel_queue_seconds_total", "counter", "Time of groups in the queue.", counts.waited
    yield "carousel_opened_total", "counter", "Streams that were opened.", seen.opened
    yield (
        "carousel_evictions_total",
        "counter",
        "Streams idle for too long.",
        seen.expired,
    )
    yield "carousel_refusals_total", "counter", "Refused: too many, busy, numbers.", seen.refused
    yield "carousel_repeats_total", "counter", "Steps that were answered again.", seen.repeated
    clipped = service.streams.saturated
    yield "carousel_saturated_total", "counter", "Inputs beyond the range of eight bits.", clipped
    filled = service.streams.filled
    yield "carousel_filled_total", "counter", "Values not measured, read as those before.", filled
    yield "carousel_reloads_total", "counter", "Times that weights were read anew.", service.reloads
    yield "carousel_failures_total", "counter", "Groups that failed.", service.errors


def _batches(server: Server) -> list[str]:
    """Histogram of the streams in a batch."""
    name = "carousel_batch_streams"
    lines = [f"# HELP {name} Streams in a batch.", f"# TYPE {name} histogram"]
    for service in server.services.values():
        counts, total = service.engine.counts, 0
        for size in sorted(counts.batch_rows):
            total += counts.batch_rows[size]
            lines.append(f'{name}_bucket{{model="{service.name}",le="{size}"}} {total}')
        lines.append(f'{name}_bucket{{model="{service.name}",le="+Inf"}} {counts.batches}')
        lines.append(f'{name}_sum{{model="{service.name}"}} {counts.rows}')
        lines.append(f'{name}_count{{model="{service.name}"}} {counts.batches}')
    return lines
