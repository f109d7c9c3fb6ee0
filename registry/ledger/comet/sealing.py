"""Sealing heads: fetching the light block that vouches for each, and keeping it.

The app hash of a block is in the header of the next one. Once the members have decided that one,
the node has its commit; until then a head is made but nobody's signature stands under it, and no
reader is shown it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from registry.core.checkpoint import Head, parse_head
from registry.core.consortium_head import read_evidence, write_consortium_head
from registry.core.keys import PublicKey
from registry.core.light_client.commit import verify_commit
from registry.core.light_client.encodings import light_block_bytes
from registry.core.proofs import NotProven
from registry.core.refusals import Malformed, Refusal
from registry.core.validators import POWER, validator_keys
from registry.ledger.comet.file import MadeHead, MemberFile, unsealed
from registry.ledger.comet.rpc import NodeAway, NodeRpc
from registry.ledger.port import LedgerDamaged
from registry.ledger.store.reading import SealedHead
from registry.ledger.store.rows import Rows

RETRY_SECONDS = 0.05  # the node saves a commit some milliseconds after it asks us to go on
IDLE_SECONDS = 1.0  # then the sealer looks for itself, should nobody have told it
MAX_CHECKED = 256  # heads of which it is remembered that they were whole; 18 kB at most each
AT_ONCE = 64  # heads in one transaction, while a node catches up


def check_sealed_head(note: str, *, where: str) -> SealedHead:
    """Check a stored head: its light block is of this head, and whole.

    Whether those validators are the right ones is for readers to judge, from what they pinned; the
    node asks only whether its disk still holds what it stored.

    Raises:
        LedgerDamaged: it does not parse, or the light block is of another head or not committed.
    """
    try:
        return SealedHead(_checked(note), note)
    except (Malformed, NotProven) as error:
        raise LedgerDamaged(f"{where} is damaged") from error


@lru_cache(maxsize=MAX_CHECKED)
def _checked(note: str) -> Head:
    head = parse_head(note)
    verify_commit(read_evidence(head))
    return head.claimed


class Sealer:
    """One thread that seals heads in their order, and says when it has."""

    def __init__(
        self,
        file: MemberFile,
        rpc: NodeRpc,
        *,
        on_sealed: Callable[[SealedHead], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """
        Args:
            file: where heads are, and where light blocks go.
            rpc: the member's own node.
            on_sealed: told of the newest sealed head, on disk by then.
            on_failure: told why no more heads are sealed.
        """
        self._file = file
        self._rpc = rpc
        self._on_sealed = on_sealed
        self._on_failure = on_failure
        self._news = threading.Event()
        self._closed = False
        self._decided = 0
        self._thread = threading.Thread(target=self._run, name="sealer", daemon=True)
        self._thread.start()

    def decided(self, engine_height: int) -> None:
        """The members have decided this height, so its commit can be fetched."""
        self._decided = engine_height
        self._news.set()

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._news.set()
        self._thread.join()

    def _run(self) -> None:
        pause = IDLE_SECONDS
        while True:
            self._news.wait(pause)
            self._news.clear()
            if self._closed:
                return
            try:
                pause = IDLE_SECONDS if self._seal() else RETRY_SECONDS
            except NodeAway:
                pause = RETRY_SECONDS
            except BaseException as error:  # noqa: BLE001 - told to whoever runs the member
                self._on_failure(error)
                return

    def _seal(self) -> bool:
        """Seal what can be sealed; False when a decided head is still without its commit."""
        with self._file.reading() as rows:
            waiting = unsealed(rows, most=AT_ONCE)
        if not waiting:
            return True
        if not self._decided:  # after a start: the node may be ahead of what it tells us
            self._decided = self._rpc.height()
        sealed = []
        for made in waiting:
            if made.engine_height + 1 > self._decided:
                break
            sealed.append(self._sealed(made))
        if sealed:
            with self._file.writing() as rows:
                for item in sealed:
                    rows.add_head(height=item.head.height, size=item.head.tree_size, note=item.note)
            self._on_sealed(sealed[-1])
            if len(sealed) == AT_ONCE:
                self._news.set()
        return True

    def _sealed(self, made: MadeHead) -> SealedHead:
        block = self._rpc.light_block(made.engine_height + 1)
        try:
            note = write_consortium_head(made.head, light_block_bytes(block))
        except Refusal as refusal:
            # The commit of the newest block may be one that the node is still completing.
            raise NodeAway(f"the node's light block proves nothing: {refusal.detail}") from refusal
        voters = {(item.key, item.power) for item in block.validators.validators}
        if voters != {(key, POWER) for key in self._voters(made.head.height)}:
            raise NodeAway("the node's light block is of others than the ledger's validators")
        return SealedHead(made.head, note)

    def _voters(self, height: int) -> frozenset[PublicKey]:
        """Who votes on the header that vouches for the head of this height.

        An update of the validators counts from the block after next, and between a block with
        entries and the next header there are none: so it is those of the state before the block.
        """
        with self._file.reading() as rows:
            return validator_keys(_StateAt(rows, max(height - 1, 0)))


@dataclass(frozen=True, slots=True)
class _StateAt:
    """The records of one height, unchecked: what they say is compared with signatures."""

    rows: Rows
    height: int

    def get(self, key: str) -> bytes | None:
        return self.rows.value(key, self.height)
