"""States in Redis, for several servers: each stream is a hash, with who owns it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgpack
import redis

from carousel.errors import RunError
from carousel.serve.shared import Wanted
from carousel.serve.store import Kept, NotKept

Found = TypeVar("Found")
_ANSWER = 5.0  # seconds in which Redis answers
_PATIENCE = 2.0  # seconds in which an owner lets go
_BACK = 2  # seconds after which every server has found a Redis that was started anew
_AT_ONCE = 1000  # streams in one message to Redis

# Keeps a stream. ARGV: who, milliseconds until it is forgotten, owner afterwards, then its fields.
# Who finds another owner was overruled: what it has is older.
_WRITE = """
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'owner', ARGV[3], unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
# Forgets a stream, or lets go of it.
_DROP = "if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('DEL', KEYS[1]) end"
_FREE = """
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return end
if redis.call('HEXISTS', KEYS[1], 'steps') == 1 then redis.call('HSET', KEYS[1], 'owner', '')
else redis.call('DEL', KEYS[1]) end
"""
# Owns a stream. ARGV: who, milliseconds, whether to make it, whether to overrule its owner.
_TAKE = """
local f = redis.call('HMGET', KEYS[1], 'owner', 'steps', 'seen', 'state', 'answers', 'shape')
if f[1] and f[1] ~= '' and f[1] ~= ARGV[1] and ARGV[4] == '0' then return {'other', f[1]} end
if not f[2] and ARGV[3] == '0' then return {'none'} end
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if not f[2] then return {'none'} end
return {'kept', f[2], f[3], f[4], f[5], f[6]}
"""


class RedisStore:
    """States of streams in Redis, where each has one server that owns it.

    url: redis://…, rediss://… or unix://…. idle: seconds after which a stream without steps is
    forgotten. A stream whose owner is gone is taken at once; one whose owner lives is asked for.
    """

    def __init__(self, url: str, idle: float) -> None:
        """Raises `RunError` for an address that is none, and a Redis that cannot be reached."""
        self._name, self._until = secrets.token_hex(8), int(1000 * (idle + 60))
        try:
            self._client = redis.Redis.from_url(
                url, socket_timeout=_ANSWER, socket_connect_timeout=_ANSWER,
                health_check_interval=10,
            )  # fmt: skip
        except ValueError as error:  # which does not repeat a password
            raise RunError(f"the address of Redis is none, such as redis://localhost:6379: {error}"
                           ) from None  # fmt: skip
        self._ended = threading.Event()
        try:
            self._seen = self._life()
        except redis.RedisError as error:
            self._client.close()
            raise RunError(f"the states of streams cannot be kept in Redis: {error}") from None
        self._write, self._drop, self._free, self._take = (
            self._client.register_script(text) for text in (_WRITE, _DROP, _FREE, _TAKE)
        )
        self._listener: threading.Thread | None = None

    def write(self, model: str, print: str, kept: Sequence[Kept], gone: Sequence[str]) -> list[str]:
        """Keep these, and forget those. Returns names that another server has now. Raises
        `NotKept`, where some may be written and others not."""
        dropped = [(_key(model, print, name), [self._name]) for name in gone]
        self._each(self._drop, dropped, f"the states of {model} were not kept")
        return self._keep(model, print, kept, self._name)

    def give(self, model: str, print: str, kept: Sequence[Kept], names: Sequence[str]) -> None:
        """Keep these, and own neither them nor those named. Raises `NotKept`."""
        self._keep(model, print, kept, "")
        freed = [(_key(model, print, name), [self._name]) for name in names]
        self._each(self._free, freed, f"streams of {model} were not let go")

    def take(self, model: str, print: str, names: Sequence[str], make: bool) -> list[Kept | None]:
        """Own these streams: what is kept of each, None of one that is new. make: own those, too.
        Another owner is asked to let go first, and overruled where it does not. Raises
        `NotKept`."""
        found: dict[str, Kept | None] = {}
        left, end, next_time = list(names), time.monotonic() + _PATIENCE, 0.0
        while owners := self._try(model, print, left, make, found):
            left, now = list(owners), time.monotonic()
            if now > end:
                self._try(model, print, left, make, found, overrule=True)
                break
            if now >= next_time:
                gone = self._asked(model, print, owners)
                self._try(model, print, gone, make, found, overrule=True)
                left, next_time = [name for name in left if name not in found], now + 0.1
            self._ended.wait(0.003)
        return [found[name] for name in names]

    def listen(self, wanted: Wanted) -> None:
        """Call `wanted` from a thread for streams that another server asks for."""
        heard: Any = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        heard.subscribe(_channel(self._name))
        self._listener = threading.Thread(
            target=self._listen, args=(heard, wanted), name="carousel-redis", daemon=True
        )
        self._listener.start()

    def forgot(self) -> bool:
        """Say if Redis was started anew since this was last asked: it may have lost the newest."""
        try:
            life = self._life()
        except redis.RedisError:
            return False  # it is asked again, and what is to be written waits
        before, self._seen = self._seen, life
        return before != life

    def read(self, model: str, print: str) -> Iterator[Kept]:
        """Nothing at first: a stream is read when it is asked for."""
        return iter(())

    def strangers(self, model: str, print: str) -> int:
        """Unknown: those of other weights have other keys, which Redis forgets by itself."""
        return 0

    def close(self) -> None:
        """Let go of Redis; other servers take the streams as they need them."""
        self._ended.set()
        if self._listener is not None:
            self._listener.join()
        self._client.close()

    # ---- words to Redis

    def _life(self) -> str:
        return str(self._client.info("server")["run_id"])

    def _keep(self, model: str, print: str, kept: Sequence[Kept], owner: str) -> list[str]:
        calls = []
        for one in kept:
            given = ["steps", one.steps, "seen", one.seen, "state", one.state]
            if one.answers is not None and one.shape is not None:
                given += ["answers", one.answers, "shape", one.shape]
            key = _key(model, print, one.name)
            calls.append((key, [self._name, self._until, owner, *given]))
        told = self._each(self._write, calls, f"the states of {model} were not kept")
        return [one.name for one, mine in zip(kept, told, strict=True) if not mine]

    def _try(
        self,
        model: str,
        print: str,
        names: Sequence[str],
        make: bool,
        found: dict[str, Kept | None],
        overrule: bool = False,
    ) -> dict[str, str]:
        """Put into `found` what can be had. Returns the owners of the others, by name."""
        given = [self._name, self._until, int(make), int(overrule)]
        calls: list[tuple[str, list[Any]]] = [(_key(model, print, name), given) for name in names]
        told = self._each(self._take, calls, f"streams of {model} were not found")
        owners = {}
        for name, (what, *more) in zip(names, told, strict=True):
            if what == b"other":
                owners[name] = more[0].decode()
                continue
            found[name] = None
            if what == b"kept":
                steps, seen, state, answers, shape = more
                text = None if shape is None else shape.decode()
                found[name] = Kept(name, int(steps), float(seen), state, answers, text)
        return owners

    def _asked(self, model: str, print: str, owners: dict[str, str]) -> list[str]:
        """Ask the owners of streams for them. Returns streams whose owners are gone."""
        streams: dict[str, list[str]] = {}
        for name, owner in owners.items():
            streams.setdefault(owner, []).append(name)

        def ask() -> list[str]:
            gone = []
            for owner, theirs in streams.items():
                message = msgpack.packb([model, print, theirs])
                if not self._client.publish(_channel(owner), message):
                    gone += theirs
            if gone and self._client.info("server")["uptime_in_seconds"] < _BACK:
                return []  # they may be on their way back to a Redis that was started anew
            return gone

        return self._safe(ask, "the owner of a stream was not asked")

    def _each(self, script: Any, calls: list[tuple[str, list[Any]]], what: str) -> list[Any]:
        """Answers of a script to each call: its key, and what is given to it."""
        found: list[Any] = []
        for first in range(0, len(calls), _AT_ONCE):
            line = self._client.pipeline(transaction=False)
            for key, given in calls[first : first + _AT_ONCE]:
                script(keys=[key], args=given, client=line)
            found += self._safe(line.execute, what)
        return found

    def _safe(self, call: Callable[[], Found], what: str) -> Found:
        try:
            return call()
        except redis.RedisError as error:
            raise NotKept(f"{what}: {error}") from None

    def _listen(self, heard: Any, wanted: Wanted) -> None:
        while not self._ended.is_set():
            try:
                message = heard.get_message(timeout=0.2)
            except redis.RedisError:  # it connects again by itself
                self._ended.wait(0.1)
                continue
            if message is not None:
                model, print, names = msgpack.unpackb(message["data"])
                wanted(model, print, names)
        heard.close()


def _key(model: str, print: str, name: str) -> str:
    return f"carousel:{model}:{print[:32]}:{name}"


def _channel(owner: str) -> str:
    return f"carousel:server:{owner}"
