"""The results as tables, for the terminal and for Markdown."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from carousel.bench.cases import SUITES_ON_DEMAND
from carousel.bench.results import (
    C_FILE,
    INT8,
    LOOP,
    ONNX,
    OURS,
    TORCH,
    Results,
    Row,
    Spread,
    geometric_mean,
)
from carousel.bench.targets import check, summary
from carousel.errors import DataError

_TITLES = {
    "dense": "Dense batches",
    "odd": "Odd sizes",
    "ragged": "Rows of different lengths (torch.nn: packed)",
    "stream": "One step of a live stream",
    "scaling": "Cost against T, H, B and threads",
    "small": "Short calls of small layers",
    "options": "Options of the cells, training",
    "export": "One step of one stream: the C file, and others",
}
START, END = "<!-- carousel bench: start -->", "<!-- carousel bench: end -->"


@dataclass(frozen=True)
class Table:
    """Text in rows and columns; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def to_markdown(self) -> str:
        lines = [self.columns, ("---", *("---:" for _ in self.columns[1:])), *self.rows]
        return f"### {self.title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(results: Results, narrow: bool = False) -> list[Table]:
    """One table per suite, then memory and targets; what was not measured has none.

    narrow: without shapes and unmeasured targets, and with half the distance of the quartiles
    instead of both of them.
    """
    suites = [(name, results.suite(name)) for name in _TITLES]
    found = [
        (_files if name == "export" else _suite)(name, rows, narrow)
        for name, rows in suites
        if rows
    ]
    if results.memory:
        found.append(_memory(results))
    return [*found, _targets(results, narrow)]


def _suite(name: str, rows: tuple[Row, ...], narrow: bool) -> Table:
    peers = list(dict.fromkeys(peer for row in rows for peer in row.peers))
    sgemm = any(row.sgemm for row in rows)
    columns = ["row", *([] if narrow else ["T×B×I×H"]), "ours"]
    columns += ["GFLOP/s", "of sgemm"] if sgemm else []
    return Table(
        _TITLES[name],
        (*columns, *(peer if narrow else f"{peer} / ours" for peer in peers)),
        tuple(
            (
                row.case.title,
                *(() if narrow else (row.case.shape,)),
                duration(row.seconds(OURS)),
                *(_rate(row) if sgemm else ()),
                *(_ratio(row.ratio(peer), narrow) for peer in peers),
            )
            for row in rows
        ),
    )


def _files(name: str, rows: tuple[Row, ...], _: bool) -> Table:
    """Nanoseconds of the C file, and the others' times over them; over our stream's without it."""
    everyone = list(dict.fromkeys(peer for row in rows for peer in row.samples))
    base = C_FILE if C_FILE in everyone else OURS
    shown = {OURS: "carousel.Stream", INT8: "carousel.Stream, int8"}
    others = [peer for peer in everyone if peer != base]
    return Table(
        _TITLES[name],
        ("row", f"{shown.get(base, base)}, ns (best)", *(shown.get(peer, peer) for peer in others)),
        tuple(
            (
                row.case.title.removesuffix(" stream"),
                _nanoseconds(row, base),
                *(_with_best(row, peer, base) for peer in others),
            )
            for row in rows
        ),
    )


def _with_best(row: Row, peer: str, base: str) -> str:
    """Ratio of a peer's time: the median, and that of the best rounds of both."""
    spread = row.ratio(peer, base)
    if spread is None:
        return "–"
    return f"{spread.median:.2f} ({row.best(peer) / row.best(base):.2f})"


def _nanoseconds(row: Row, name: str) -> str:
    """Median and best of the rounds."""
    if name not in row.samples:
        return "–"
    return f"{row.seconds(name) * 1e9:,.0f} ({row.best(name) * 1e9:,.0f})"


def _rate(row: Row) -> tuple[str, str]:
    share = row.share()
    return f"{row.gflops(OURS):.0f}", f"{share.median:.0%}" if share else "–"


def _ratio(spread: Spread | None, narrow: bool) -> str:
    if spread is None:
        return "–"
    if spread.rounds == 1:
        return f"{spread.median:.2f} (once)"
    if narrow:
        return f"{spread.median:.2f} ±{(spread.high - spread.low) / 2 / spread.median:.0%}"
    return f"{spread.median:.2f} ({spread.low:.2f}–{spread.high:.2f})"


def duration(seconds: float) -> str:
    """Such as "12.3 ms".

    >>> duration(0.0123), duration(4.5e-6), duration(2.0)
    ('12.3 ms', '4.5 µs', '2 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def _memory(results: Results) -> Table:
    def mib(size: int) -> str:
        return f"{size / 2**20:.1f}"

    return Table(
        "Memory of one training step, MiB beyond weights and input",
        ("row", "peak, ours", f"peak, {TORCH}", "ratio", "held, ours", f"held, {TORCH}"),
        tuple(
            (
                memory.case.title,
                mib(memory.peak[OURS]),
                mib(memory.peak[TORCH]),
                f"{memory.ratio:.2f}",
                mib(memory.held[OURS]),
                mib(memory.held[TORCH]),
            )
            for memory in results.memory
        ),
    )


def _targets(results: Results, narrow: bool) -> Table:
    verdicts = check(results)
    words = {True: "met", False: "missed", None: "not measured"}
    return Table(
        f"Targets: {summary(verdicts)}",
        ("promise", "row", "target", "measured", ""),
        tuple(
            (
                verdict.promise,
                verdict.row,
                f"{'≥' if verdict.at_least else '≤'} {verdict.target:g}",
                "–" if verdict.measured is None else f"{verdict.measured:.2f}",
                words[verdict.met],
            )
            for verdict in verdicts
            if not narrow or verdict.met is not None
        ),
    )


def notes(results: Results) -> list[str]:
    """Notes for reading the tables: machine, versions, noise, missing contestants."""
    settings = results.settings
    lines = [
        "; ".join(results.machine.values()),
        ", ".join(f"{name} {version}" for name, version in results.versions.items()),
        f"{settings['threads']} threads each; about {settings['seconds_per_row']:g} seconds per "
        "row, everyone in turn. Ratios are the peer's time over ours, above 1 where "
        "ours is faster: the median of the rounds and, in brackets, their quartiles (after ±, half "
        "the distance between them).",
        "GFLOP/s count the matrix products: 2 G H (I + H) per row, step, layer and direction, "
        "G = 4, 3, 1 gates of LSTM, GRU, RNN; three times as many in training, which computes the "
        "gradients of the input and of all weights.",
        *_about_files(results),
        *_about_sgemm(results),
        *_about_noise(results),
        *(f"{name} did not take part: {why}" for name, why in results.missing.items()),
        *(f"{title} has no result: {why}" for title, why in results.failures.items()),
        *_about_skipped(results),
    ]
    lines += [*_means(results, "dense", (TORCH,)), *_means(results, "small", (TORCH, ONNX, LOOP))]
    if not results.complete:
        lines.append("The run was interrupted: rows are missing.")
    return lines


def _about_files(results: Results) -> Iterator[str]:
    if results.suite("export"):
        yield (
            "Suite export: ratios are over the time of the C file. That and its eight bits are "
            "called from C, all others from Python, one thread each. In brackets: of the best "
            "rounds. Eight bits compute something else than float32 does, to a few hundredths; "
            "ONNX Runtime's has no GRU."
        )


def _means(results: Results, suite: str, peers: tuple[str, ...]) -> Iterator[str]:
    """Wins and losses of a suite, by mode and peer, in a sentence each."""
    rows = results.suite(suite)
    for peer, mode in itertools.product(peers, dict.fromkeys(row.case.mode for row in rows)):
        pairs = [(row.ratio(peer), row) for row in rows if row.case.mode == mode]
        ratios = {row.case.title: ratio.median for ratio, row in pairs if ratio}
        if not ratios:
            continue
        slower = sum(ratio < 1 for ratio in ratios.values())
        worst = min(ratios, key=lambda title: ratios[title])
        yield (
            f"Geometric mean over {len(ratios)} {suite} rows, {mode}: "
            f"{geometric_mean(ratios.values()):.2f} × {peer}; slower than it in {slower}, "
            f"{worst} the least with {ratios[worst]:.2f}."
        )


def _about_sgemm(results: Results) -> Iterator[str]:
    for name in dict.fromkeys(name for row in results.rows for name in row.samples):
        rates = [row.sgemm_gflops(name) for row in _full(results) if name in row.samples]
        if name.startswith("sgemm") and rates:
            spread = Spread.of(rates)
            yield (
                f"{name}: {spread.median:.0f} GFLOP/s, quartiles of the rows "
                f"{spread.low:.0f}–{spread.high:.0f}. Shares are of the faster one."
            )


def _full(results: Results) -> Iterator[Row]:
    return (row for row in results.rows if row.case.threads is None)


def _about_noise(results: Results) -> Iterator[str]:
    busy = [row.others for row in results.rows if row.others is not None]
    if busy and max(busy) > 0.1:
        noisy = sum(value > 0.1 for value in busy)
        yield (
            f"Other processes wanted the CPUs: over a tenth of one in {noisy} of {len(busy)} rows, "
            f"{max(busy):.1f} CPUs at worst. Measure again when the machine is quiet."
        )


def _about_skipped(results: Results) -> Iterator[str]:
    for row in results.rows:
        for name, why in row.skipped.items():
            yield f"{row.case.title}, {name}: {why}"


def to_markdown(results: Results) -> str:
    """Notes and tables."""
    listed = "\n".join(f"- {line}" for line in notes(results))
    return "\n\n".join([listed, *(table.to_markdown() for table in tables(results))]) + "\n"


def _markers(results: Results) -> tuple[str, str]:
    suites = {row.case.suite for row in results.rows}
    if len(suites) == 1 and suites <= {*SUITES_ON_DEMAND}:
        words = f"carousel bench --suite {suites.pop()}"
        return f"<!-- {words}: start -->", f"<!-- {words}: end -->"
    return START, END


def write_markdown(results: Results, path: Path) -> None:
    """Into a file: between its two marker comments, or as a new file that has them.

    Results of one suite on demand alone have markers of their own, so that one page holds both.
    Raises DataError for a file without them, so that no text of somebody's is lost.
    """
    first, last = _markers(results)
    text = f"{first}\n{to_markdown(results)}{last}\n"
    if path.exists():
        old = path.read_text()
        before, start, rest = old.partition(first)
        _, end, after = rest.partition(last)
        if not (start and end):
            raise DataError(f"{path} exists and has no lines {first} and {last} to write between")
        text = before + text.rstrip("\n") + after
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
