"""A council of three institutions with shares, a gate, and a ledger that proves what it holds."""

import hashlib
from dataclasses import dataclass, field

from identity.core.opening.giving import GivenShare, give_share
from identity.core.opening.order import (
    OrderEvidence,
    VerifiedOrder,
    commitment_of,
    verify_order,
)
from identity.core.opening.sealed_identity import (
    Custody,
    Holder,
    SealedIdentity,
    public_half,
    seal_identity,
)
from registry.core.checkpoint import sign_head
from registry.core.disclosure import DisclosureCount, DisclosureOrder, RecordDisclosure
from registry.core.records import DISCLOSURES_KEY, disclosure_order_key
from registry.core.sparse_map import EMPTY, map_changes, prove, update
from registry.core.transactions import Payload
from registry.core.trust_anchor import TrustAnchor
from tests.registry.core.actors import NETWORK, identifier, nonce, pair, sign
from tests.registry.core.council import Council
from tests.registry.core.heads import NOW, SIGNER, anchor_of, head_of

IDENTITY = b'{"given_name":"Alice","family_name":"Kestrel"}'
TRUST: TrustAnchor = anchor_of(SIGNER, network=NETWORK)
INSTITUTIONS = ("court", "ombudsman", "registry")


def private(name: str) -> bytes:
    """The opening key of an institution, or of the `gate`."""
    return hashlib.sha256(b"opening key of " + name.encode()).digest()


class Randomness:
    """Bytes that differ between calls, and are the same in every run."""

    def __init__(self, seed: bytes = b"court") -> None:
        self._seed, self._count = seed, 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        label = self._seed + self._count.to_bytes(8, "big")
        return hashlib.shake_256(label).digest(size)


@dataclass
class Court:
    """Court, ombudsman and registry; `threshold` of them open."""

    threshold: int = 2
    council: Council = field(default_factory=lambda: Council(founders=INSTITUTIONS))
    random: Randomness = field(default_factory=Randomness)

    @property
    def custody(self) -> Custody:
        return Custody(
            network=NETWORK,
            threshold=self.threshold,
            holders=tuple(
                Holder(institution=self.council.did[name], key=public_half(private(name)))
                for name in INSTITUTIONS
            ),
            gate=public_half(private("gate")),
        )

    def seal(self, identity: bytes = IDENTITY) -> SealedIdentity:
        return seal_identity(identity, custody=self.custody, random=self.random)

    def order(
        self, sealed: SealedIdentity, salt: bytes, *names: str, number: int = 1, days: int = 30
    ) -> None:
        """Record an order by these institutions."""
        action = RecordDisclosure(
            number=number,
            reference=identifier(f"order {number}"),
            legal_basis="court-order",
            institutions=tuple(self.council.did[name] for name in names),
            commitment=commitment_of(sealed, salt),
            notice_days=days,
        )
        payload = Payload(
            network=NETWORK,
            author=self.council.did[names[0]],
            nonce=nonce(f"order {number}"),
            action=action,
        )
        keys = {f"{self.council.did[name]}#governance-1": pair(name) for name in names}
        self.council.apply(sign(payload, keys))

    def evidence(self, number: int = 1) -> OrderEvidence:
        """What the ledger proves about an order."""
        state = self.council.state
        root, nodes = update(EMPTY, map_changes(state), {})
        key = disclosure_order_key(number)
        head = head_of(network=NETWORK, state_root=root, height=99)
        return OrderEvidence(
            order=DisclosureOrder.parse(state[key]),
            order_proof=prove(root, key, nodes),
            count=DisclosureCount.parse(state[DISCLOSURES_KEY]),
            count_proof=prove(root, DISCLOSURES_KEY, nodes),
            head=sign_head(head, [SIGNER]),
        )

    def verified(self, sealed: SealedIdentity, salt: bytes, number: int = 1) -> VerifiedOrder:
        return verify_order(self.evidence(number), sealed=sealed, salt=salt, trust=TRUST, now=NOW)

    def share(
        self, name: str, sealed: SealedIdentity, order: VerifiedOrder, to: str = "court"
    ) -> GivenShare:
        return give_share(sealed, order=order, private=private(name), to=public_half(private(to)))
