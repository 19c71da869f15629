"""Description of the machine of a run: processor, versions, and load by other processes."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

from carousel import kernels

_PACKAGES = ("carousel-rnn", "torch", "numpy", "onnx", "onnxruntime")


def describe() -> dict[str, str]:
    """CPU, number of CPUs, instruction sets, system."""
    return {
        "cpu": _cpu(),
        "cpus": str(_usable()),
        "isa": f"{kernels.active_isa()} (this CPU can: {', '.join(kernels.supported_isas())})",
        "int8": f"eight bits: {kernels.int8_isa()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Versions of Python, of the installed packages, and the commit of Carousel's sources."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {**found, "commit": _commit()}


def _usable() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().split("\n\n")[0].splitlines()
        facts = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        if "model name" in facts:
            family = ", ".join(f"{k} {facts[k]}" for k in ("cpu family", "model") if k in facts)
            return f"{facts['model name']} ({family})"
    return platform.processor() or platform.machine()


def _commit() -> str:
    here = Path(__file__).parent
    try:
        commit = _git(here, "rev-parse", "--short=12", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not run from a git checkout)"
    return commit + ", with changes" * bool(changed)


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


class Others:
    """CPUs kept busy by processes other than ours, from /proc; None where there is none."""

    def __init__(self, pids: Iterable[int] = ()) -> None:
        self._pids = tuple(pids)
        self._start = self._read()

    def busy(self) -> float | None:
        """CPUs, on average since the start."""
        now = self._read()
        if now is None or self._start is None:
            return None
        total, ours, elapsed = (a - b for a, b in zip(now, self._start, strict=True))
        return max(0.0, (total - ours) / elapsed) if elapsed > 0 else 0.0

    def _read(self) -> tuple[float, float, float] | None:
        """Ticks of the whole machine at work, ticks of ours, and elapsed ticks of one CPU."""
        try:
            words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
            user, nice, system, idle, wait, irq, softirq, steal = map(int, words)
            ours = sum(_ticks(pid) for pid in (os.getpid(), *self._pids))
        except (OSError, ValueError):
            return None
        busy = user + nice + system + irq + softirq + steal
        return busy, ours, (busy + idle + wait) / (os.cpu_count() or 1)


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])
