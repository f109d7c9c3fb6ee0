"""Large requests take turns, so that small ones need not wait for many of them.

Judging what a stranger sent holds a processor. What that may cost is bounded for one request
(`identity.core.jsonld_bounds`), and most of all by the size of its body; many at once would still
take every worker thread. They wait outside of the threads.
"""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

LARGE_BYTES = 16 << 10  # of a body; a credential in the field has 2 to 8 KiB without a portrait
LARGE_AT_ONCE = 2  # the interpreter runs one at a time anyway; the other may wait for the ledger

T = TypeVar("T")


class Turns:
    """One for each process and group of operations."""

    def __init__(self) -> None:
        self._large = CapacityLimiter(LARGE_AT_ONCE)

    async def run(self, work: Callable[[], T], *, size: int) -> T:
        """Run `work` in a worker thread, at once or in its turn.

        Args:
            work: judges a body of `size` bytes, which was read to its end.
        """
        return await to_thread.run_sync(work, limiter=self._large if size > LARGE_BYTES else None)
