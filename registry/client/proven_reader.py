"""Reads from a node, each proven before it is believed, and what is asked of several nodes in turn.

Every read asks for a proof and checks it against a head that the trust anchor's keys have signed
and that fits to every head seen before. Whatever cannot be proven is `NodeNotTrusted`.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from registry.client.answers import ProvenBytes, ProvenCache
from registry.client.errors import NodeNotTrusted, checked
from registry.client.heads import HeadMemory
from registry.client.members import MembersTransport
from registry.client.transport import Answer, NodeUnreachable, Transport
from registry.client.trust import HeadTrust, TrustStore
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import Head
from registry.core.encoding import canonical_json, parse_json_object
from registry.core.fields import members
from registry.core.proofs import parse_path
from registry.core.refusals import Refusal
from registry.core.sparse_map import parse_map_proof, verify_map_proof

MAX_PATH = 64  # hashes of a consistency proof: two for each level of a log of 2^32 entries

R = TypeVar("R")


class ProvenReader:
    """State records and heads of one node, or of several of which none is believed."""

    def __init__(
        self,
        transport: Transport,
        trust: AnyTrustAnchor,
        *,
        cache: ProvenCache,
        clock: Callable[[], float],
        store: TrustStore | None,
    ) -> None:
        """
        Args:
            transport: how to reach the node.
            trust: what is believed without proof.
            cache: keeps proven records for a moment.
            clock: Unix seconds, by which a consortium's heads are judged.
            store: keeps how far a consortium's validators were followed.
        """
        self._transport = transport
        self._trust = trust
        self._cache = cache
        self.head_trust = HeadTrust(trust, clock=clock, fetch=self._fetch_light_block, store=store)
        self.heads = HeadMemory(self.head_trust, self._fetch_consistency)

    def read(self, key: str, *, fresh: bool = False) -> ProvenBytes:
        """Ask for the record under a state key with its proof, and check both.

        Args:
            key: of the state.
            fresh: ask even when a proven record is at hand.

        Raises:
            NodeUnreachable: no answer.
            NodeNotTrusted: the answer proves nothing.
        """
        if not fresh and (known := self._cache.get(key)) is not None:
            return known
        return self.from_any(lambda: self._ask_for(key))

    def _ask_for(self, key: str) -> ProvenBytes:
        generation, floor = self._cache.generation, self.heads.newest
        query = {"key": key, "proof": "true"}
        witnessed = self._ask_for_head() if self._trust.witnesses is not None else None
        if witnessed is not None:
            query["height"] = str(witnessed[1].height)
        answer = self.get("/registry/records?" + urlencode(query))
        with checked("the answer about a record"):
            found = members(
                parse_json_object(answer.body, max_bytes=len(answer.body)),
                "answer",
                required=("key", "record", "proof", "head"),
            )
            # The node proves under the head that it signed; the witnessed one has the same text.
            note = str(found["head"]) if witnessed is None else witnessed[0]
            head = self.heads.accept(note, floor=floor) if witnessed is None else witnessed[1]
            proof = parse_map_proof(found["proof"])
            value = None if found["record"] is None else canonical_json(found["record"])
            verify_map_proof(proof, key=key, value=value, root=head.state_root)
        proven = ProvenBytes(value, proof, note)
        self._cache.keep(key, proven, generation)
        return proven

    def newest_head(self) -> tuple[str, Head]:
        """The node's newest head that counts for the trust anchor, as text and verified."""
        return self.from_any(self._ask_for_head)

    def _ask_for_head(self) -> tuple[str, Head]:
        floor = self.heads.newest
        plain = self._trust.witnesses is None
        answer = self.get("/registry/head" if plain else "/registry/head?cosigned=true")
        with checked("the newest head"):
            note = answer.body.decode("utf-8")
            return note, self.heads.accept(note, floor=floor)

    def _fetch_consistency(self, first: int, second: int) -> Sequence[bytes]:
        query = urlencode({"first": first, "second": second})
        found = members(
            parse_json_object(self.get(f"/registry/log/consistency?{query}").body),
            "consistency proof",
            required=("first", "second", "path"),
        )
        return parse_path(found["path"], most=MAX_PATH)

    def _fetch_light_block(self, height: int) -> bytes:
        """A light block in between; a member that does not have it is passed over."""
        path = f"/registry/light-blocks/{height}"
        if isinstance(self._transport, MembersTransport):
            for _ in range(self._transport.count - 1):
                answer = self._transport.get(path)
                if answer.status == 200:
                    return answer.body
                self._transport.pass_over()
        return self.get(path).body

    def from_any(self, ask: Callable[[], R], *, doubt: tuple[type[Refusal], ...] = ()) -> R:
        """What one member answers; where there are several, the next when it is not proven.

        Args:
            ask: asks, and checks what comes.
            doubt: refusals of which a second member's word is wanted, since none of them is proven.
        """
        if not isinstance(self._transport, MembersTransport):
            return ask()
        refused: Refusal | None = None
        for left in reversed(range(self._transport.count)):
            try:
                return ask()
            except NodeNotTrusted:
                self._transport.pass_over()
                if not left:
                    raise
            except doubt as refusal:
                if refused is not None or not left:
                    raise
                refused = refusal
                self._transport.pass_over()
        raise NodeNotTrusted("no member gave an answer that can be proven")

    def get(self, path: str) -> Answer:
        """The answer to a read; never a 404, which would be an unproven absence.

        Raises:
            NodeUnreachable: no answer, or not 200.
        """
        answer = self._transport.get(path)
        if answer.status != 200:
            raise NodeUnreachable(f"the node answers {answer.status}")
        return answer
