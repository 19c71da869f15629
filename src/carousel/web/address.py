"""Address of a server on this machine: host, port, and a token where others can reach it."""

from __future__ import annotations

import errno
import secrets
import socket
import sys
from dataclasses import dataclass

from carousel.errors import ConfigError
from carousel.web.guard import LOOPBACK

_BALANCED = sys.platform == "linux"


@dataclass(frozen=True)
class Address:
    """Host and port to listen on. token: required from whoever is on another machine."""

    listener: socket.socket
    host: str
    token: str | None

    @property
    def url(self) -> str:
        port = self.listener.getsockname()[1]
        named = f"[{self.host}]" if ":" in self.host else self.host
        shown = f"?token={self.token}" if self.token else ""
        return f"http://{named}:{port}/{shown}"


def listen(
    name: str, usual: int, host: str = "127.0.0.1", port: int | None = None, several: bool = False
) -> Address:
    """Take an address: the port asked for, or the usual one, or a free one where that is taken.

    name: of who listens, for messages. several: whether `beside` may take it, too.

    Raises `ConfigError` if the host is none of this machine's, or the port asked for is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = _socket(family, several)
    try:
        try:
            wanted = usual if port is None else port
            with _socket(family, False) as alone:  # a port that another server may share is taken
                alone.bind((host, wanted))
            listener.bind((host, wanted))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port is not None:
                raise
            listener.bind((host, 0))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or error
        at = f"{host}:{usual if port is None else port}"
        raise ConfigError(
            f"{name} cannot listen on {at} ({why}): name another --host or --port; without "
            f"--port it finds a free one"
        ) from None
    return Address(listener, host, None if host in LOOPBACK else secrets.token_urlsafe(24))


def beside(listener: socket.socket, count: int) -> list[socket.socket]:
    """Sockets for so many processes at one address, `listener` the first of them.

    On Linux each has a queue of its own, and the system chooses one for each connection by a hash
    of its addresses; elsewhere all share one queue.
    """
    found = [listener]
    for _ in range(count - 1):
        if not _BALANCED:
            found.append(listener.dup())
            continue
        another = _socket(listener.family, True)
        another.bind(listener.getsockname())
        another.listen(128)
        found.append(another)
    return found


def _socket(family: int, several: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if several and _BALANCED:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return made
