"""Fork detection: another member is asked for the header of the height that this client believes.

More than a third of the validators must have lied to sign two headers of one height. Each reader
alone believes its own; only who compares can see it. What is seen is kept as evidence, in a file
that names both headers, and cried out.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from registry.client.transport import NodeUnreachable, Transport
from registry.client.trust import HeadTrust
from registry.core.consortium_anchor import ConsortiumAnchor, consortium_anchor_json
from registry.core.encoding import JsonObject, base64url_encode
from registry.core.light_client.commit import CommittedBlock
from registry.core.light_client.encodings import header_hash, light_block_bytes
from registry.core.light_client.light_block import NANOSECONDS, LightBlock
from registry.core.light_client.parsing import parse_light_block
from registry.core.light_client.verification import ChainForked
from registry.core.refusals import Refusal

EVIDENCE_TYPE = "cairn-fork-evidence/1"


class ForkSeen(ChainForked):
    """Two members show two signed headers of one height. The evidence is kept; believe neither."""

    def __init__(self, detail: str, evidence: Path) -> None:
        super().__init__(detail)
        self.evidence = evidence


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of one look."""

    height: int | None  # of the engine; None: nothing is believed yet, so nothing was compared
    agreed: int  # members whose header is the same
    silent: int  # members that do not answer, or do not have the height
    unbelieved: int  # members whose header differs, signed by nobody who counts


class ForkWatch:
    """Compares what a client believes with what each member shows. One thread."""

    def __init__(
        self,
        trust: HeadTrust,
        members: Sequence[Transport],
        *,
        evidence: Path,
        clock: Callable[[], float],
    ) -> None:
        """
        Args:
            trust: what the client believes.
            members: all that are known; those that did not answer the client matter most.
            evidence: folder for evidence.
            clock: Unix seconds.
        """
        self._trust = trust
        self._members = tuple(members)
        self._evidence = evidence
        self._clock = clock

    def look(self) -> Compared:
        """Ask every member for the newest header that the client believes.

        A member whose header is another one has either made it up, or shows a fork: that is so when
        it can be verified from what the client trusted before it believed its own.

        Raises:
            ForkSeen: two signed headers of one height; the evidence is on disk, and the client
                believes nothing any more.
        """
        newest = self._trust.newest
        if newest is None:
            return Compared(None, 0, 0, 0)
        believed, before = newest
        height = believed.block.header.height
        agreed = silent = unbelieved = 0
        for member in self._members:
            other = _light_block(member, height)
            if other is None:
                silent += 1
            elif header_hash(other.header) == believed.hash:
                agreed += 1
            elif self._is_believable(other, before):
                why = f"two signed headers at engine height {height}"
                self._trust.distrust(why)
                raise ForkSeen(why, self._keep(believed, other, before))
            else:
                unbelieved += 1
        return Compared(height, agreed, silent, unbelieved)

    def _is_believable(self, other: LightBlock, before: ConsortiumAnchor) -> bool:
        """Whether a reader with the same anchor would have believed it."""
        try:
            before.verify(other, now=int(self._clock()) * NANOSECONDS)
        except ChainForked:
            return True
        except Refusal:
            return False
        return True

    def _keep(self, believed: CommittedBlock, other: LightBlock, before: ConsortiumAnchor) -> Path:
        """Write the evidence durably to a name of its own; earlier evidence is never replaced."""
        seen_at = int(self._clock())
        data = json.dumps(
            evidence_json(believed.block, other, before, seen_at=seen_at), indent=2
        ).encode()
        self._evidence.mkdir(parents=True, exist_ok=True)
        number = 0
        while True:
            path = self._evidence / f"fork-{before.network}-{seen_at}-{number}.json"
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                number += 1
                continue
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            return path


def evidence_json(
    one: LightBlock, other: LightBlock, anchor: ConsortiumAnchor, *, seen_at: int
) -> JsonObject:
    """Two light blocks of one height, and the anchor from which both can be verified."""
    return {
        "type": EVIDENCE_TYPE,
        "network": anchor.network,
        "height": one.header.height,
        "seen_at": seen_at,
        "anchor": consortium_anchor_json(anchor),
        "light_blocks": [base64url_encode(light_block_bytes(block)) for block in (one, other)],
    }


def _light_block(member: Transport, height: int) -> LightBlock | None:
    with suppress(NodeUnreachable, Refusal):
        answer = member.get(f"/registry/light-blocks/{height}")
        if answer.status == 200:
            block = parse_light_block(answer.body)
            if block.header.height == height:
                return block
    return None
