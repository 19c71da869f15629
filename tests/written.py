"""Events as other versions, or somebody's hands, may have written them."""

from __future__ import annotations

from typing import Any


class Written:
    """Of any kind, with any body: what `EventStore.event` takes, checked by nobody."""

    def __init__(self, kind: str, **body: Any) -> None:
        self.kind, self._body = kind, body

    def body(self) -> dict[str, Any]:
        return self._body
