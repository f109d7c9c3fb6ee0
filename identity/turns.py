"""Work on documents takes turns, so that other requests need not wait for it.

Judging what a stranger sent holds a processor. What that may cost is bounded for one request
(`identity.core.jsonld_bounds`), and a small body may come close to that bound; many at once would
take every worker thread, which tokens, status lists and revocations need too. So it has threads of
its own. Large bodies have but half of them, and the queue has an end.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from registry.core.refusals import Unavailable

LARGE_BYTES = 16 << 10  # of a body; a credential in the field has 2 to 8 KiB without a portrait
AT_ONCE = 4  # the interpreter runs one at a time anyway; the others may wait for the ledger
LARGE_AT_ONCE = 2
MAX_QUEUED = 64  # of large and of small ones, those at work included; each holds its body

T = TypeVar("T")


class TooManyAtOnce(Unavailable):
    """More requests of this kind wait here than can be answered soon; try again later."""


class Turns:
    """One for each process and group of operations."""

    def __init__(self) -> None:
        self._all = CapacityLimiter(AT_ONCE)
        self._large = CapacityLimiter(LARGE_AT_ONCE)
        self._queued = {False: 0, True: 0}  # by whether they are large

    async def run(self, work: Callable[[], T], *, size: int) -> T:
        """Run `work` in a worker thread in its turn.

        Args:
            work: judges a body of `size` bytes, which was read to its end, of whoever may ask.

        Raises:
            TooManyAtOnce: the queue is full.
        """
        large = size > LARGE_BYTES
        if self._queued[large] >= MAX_QUEUED:
            raise TooManyAtOnce("too many requests of this kind at once")
        self._queued[large] += 1
        try:
            async with AsyncExitStack() as turn:
                if large:
                    await turn.enter_async_context(self._large)
                return await to_thread.run_sync(work, limiter=self._all)
        finally:
            self._queued[large] -= 1
