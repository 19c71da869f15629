"""Meeting point of processes that `torchrun` has started, and started anew.

With its own store `torchrun` hands the same one to the processes of every attempt, and gloo then
finds addresses of the attempt before, where nobody listens any more. So the first process opens a
store of its own and leaves its port there; the others take a port once somebody listens at it: the
processes of an attempt that failed have all ended before the next begins.
"""

from __future__ import annotations

import os
import socket
import time
from datetime import timedelta

from torch.distributed import TCPStore  # type: ignore[attr-defined]

_KEY = "carousel/port"
_BY_TORCHRUN = "TORCHELASTIC_USE_AGENT_STORE"
_BETWEEN = 0.1  # seconds
_PATIENCE = timedelta(minutes=10)

_kept: list[TCPStore] = []  # the store lives as long as the process


def meet(rank: int) -> None:
    """Let MASTER_PORT name a store of this attempt alone, where `torchrun`'s would be shared.

    Raises `RuntimeError` if nobody is met in ten minutes.
    """
    if os.environ.get(_BY_TORCHRUN, "").lower() != "true":
        return
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    shared = TCPStore(host, port, is_master=False, timeout=_PATIENCE)
    if rank == 0:
        _kept.append(TCPStore(host, 0, is_master=True, wait_for_workers=False, multi_tenant=True))
        found = _kept[-1].port
        shared.set(_KEY, str(found))
    else:
        found = _heard(shared, host)
    os.environ["MASTER_PORT"], os.environ[_BY_TORCHRUN] = str(found), "False"


def _heard(shared: TCPStore, host: str) -> int:
    end = time.monotonic() + _PATIENCE.total_seconds()
    while time.monotonic() < end:
        port = int(shared.get(_KEY))
        try:
            socket.create_connection((host, port), timeout=5).close()
        except OSError:  # left by an attempt that has ended
            time.sleep(_BETWEEN)
        else:
            return port
    raise RuntimeError(f"nobody listens at the port that the first process left at {host}")
