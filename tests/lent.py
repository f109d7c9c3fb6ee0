"""Applications that stand all through a run and are lent to one bench after another.

FastAPI takes the signatures of some thirty routes apart for each application, 0.1 s a time. What
the routes call is all that differs between benches. So an application is built on stand-ins, and
each bench that borrows it puts its own parts behind them. Two benches that are in use at once
have two applications.
"""

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient


class StandIn:
    """Passes everything on to what is behind it now."""

    def __init__(self) -> None:
        self._behind: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._behind(*args, **kwargs)

    def put(self, behind: Any) -> None:
        """From now on it stands for `behind`."""
        self._behind = behind


@dataclass
class Lent:
    """Applications of one kind.

    Args:
        build: makes one out of a stand-in for each name.
        names: of what differs between benches.
    """

    build: Callable[[Mapping[str, Any]], FastAPI]
    names: tuple[str, ...]
    _free: list[tuple[FastAPI, dict[str, StandIn]]] = field(default_factory=list)

    def borrow(self, behind: Mapping[str, Any], **options: Any) -> TestClient:
        """A client of an application with these parts; given back when nobody has the client."""
        assert set(behind) == set(self.names)
        app, stand_ins = self._free.pop() if self._free else self._built()
        for name, part in behind.items():
            stand_ins[name].put(part)
        client = TestClient(app, **options)
        _forget_itself(client)
        weakref.finalize(client, self._return, app, stand_ins)
        return client

    def _built(self) -> tuple[FastAPI, dict[str, StandIn]]:
        stand_ins = {name: StandIn() for name in self.names}
        return self.build(stand_ins), stand_ins

    def _return(self, app: FastAPI, stand_ins: dict[str, StandIn]) -> None:
        for stand_in in stand_ins.values():
            stand_in.put(None)  # closes its files
        self._free.append((app, stand_ins))


def _forget_itself(client: Any) -> None:
    """Its transport knows the client and would keep it until the next garbage collection."""
    portal = weakref.WeakMethod(client._portal_factory)
    client._transport.portal_factory = lambda: portal()()
