"""Submitters who never give up: what was acknowledged must be on every member in the end."""

import threading
import time
from collections.abc import Sequence

from registry.client.transport import HttpTransport, NodeUnreachable
from registry.core.encoding import parse_json_object
from registry.core.transactions import parse_transaction
from tests.faults.consortium.network import Member, PromiseBroken
from tests.registry.authors import new_did

SUBMIT_SECONDS = 6.0  # then the same bytes go to another member
PAUSE_SECONDS = 0.05


def submit(
    member: Member, raw: bytes, *, seconds: float = SUBMIT_SECONDS
) -> tuple[int, int] | None:
    """Height and index under which a member acknowledged a transaction; None: nobody knows.

    Raises:
        PromiseBroken: it was refused, though it is good.
    """
    transport = HttpTransport(member.api, timeout_seconds=seconds)
    try:
        answer = transport.post("/registry/transactions", raw)
    except NodeUnreachable:
        return None
    finally:
        transport.close()
    if answer.status in (502, 503, 504):
        return None
    if answer.status != 201:
        raise PromiseBroken(f"a good transaction got {answer.status}: {answer.body[:200]!r}")
    found = parse_json_object(answer.body)
    return int(found["height"]), int(found["index"])


class Load:
    """Threads that submit DIDs to one member after another and keep what was acknowledged."""

    def __init__(self, members: Sequence[Member], *, name: str, threads: int = 3) -> None:
        self._members = tuple(members)
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, args=(f"{name} {number}",), daemon=True)
            for number in range(threads)
        ]
        self.acknowledged: dict[str, tuple[int, int]] = {}
        self.broken: list[str] = []

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(4 * SUBMIT_SECONDS)

    @property
    def count(self) -> int:
        with self._lock:
            return len(self.acknowledged)

    def progress(self, more: int, *, seconds: float) -> float:
        """Wait until so many more were acknowledged; how long it took.

        Raises:
            PromiseBroken: they were not.
        """
        began, before = time.monotonic(), self.count
        while self.count < before + more:
            if time.monotonic() - began > seconds:
                raise PromiseBroken(f"{self.count - before} of {more} in {seconds:.0f} s")
            time.sleep(0.02)
        return time.monotonic() - began

    def verify(self) -> None:
        """What was acknowledged stands on every member, at the place that was named.

        Raises:
            PromiseBroken: it does not.
        """
        if self.broken:
            raise PromiseBroken("; ".join(self.broken[:3]))
        for member in self._members:
            transport = HttpTransport(member.api)
            for tx_id, place in self.acknowledged.items():
                answer = transport.get(f"/registry/transactions/{tx_id}")
                if answer.status != 200:
                    raise PromiseBroken(f"member {member.number} lost an acknowledged transaction")
                found = parse_json_object(answer.body)
                if (int(found["height"]), int(found["index"])) != place:
                    raise PromiseBroken(f"member {member.number} has it at another place")
            transport.close()

    def _work(self, name: str) -> None:
        number = 0
        while not self._ending.is_set():
            number += 1
            raw, _ = new_did(f"{name} {number}")
            tx_id = parse_transaction(raw).id
            turn = number
            while True:  # to another member, the same bytes
                try:
                    place = submit(self._members[turn % len(self._members)], raw)
                except PromiseBroken as error:
                    with self._lock:
                        self.broken.append(str(error))
                    return
                if place is not None:
                    with self._lock:
                        self.acknowledged[tx_id] = place
                    break
                if self._ending.wait(PAUSE_SECONDS):
                    return
                turn += 1
