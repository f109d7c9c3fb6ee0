"""The proof that an order to open one sealed identity stands on the ledger.

Everything that decrypts takes a `VerifiedOrder`, and asks it again for its proof: the object is
made by `verify_order` alone, and even one that was made otherwise proves nothing by being there.
"""

from dataclasses import dataclass
from typing import Any, NoReturn

from identity.core.opening.sealed_identity import SealedIdentity
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import verify_head
from registry.core.disclosure import DisclosureCount, DisclosureOrder
from registry.core.encoding import JsonObject
from registry.core.fields import members
from registry.core.hashing import labelled_hash
from registry.core.records import DISCLOSURES_KEY, disclosure_order_key
from registry.core.refusals import Malformed, NotPermitted
from registry.core.signed_note import MAX_NOTE_BYTES
from registry.core.sparse_map import MapProof, map_proof_json, parse_map_proof, verify_map_proof

SALT_BYTES = 32


class OrderNotVerified(NotPermitted):
    """There is no proof that the ledger holds an order for this sealed identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvidence:
    """Unverified: an order and the public count, each with its proof under one signed head."""

    order: DisclosureOrder
    order_proof: MapProof
    count: DisclosureCount
    count_proof: MapProof
    head: str  # signed checkpoint

    def to_object(self) -> JsonObject:
        """The evidence as a JSON object."""
        return {
            "order": self.order.to_object(),
            "order_proof": map_proof_json(self.order_proof),
            "count": self.count.to_object(),
            "count_proof": map_proof_json(self.count_proof),
            "head": self.head,
        }


def parse_order_evidence(value: object) -> OrderEvidence:
    """Read evidence from its JSON object.

    Raises:
        Malformed: a member is missing, unknown, or not of its form.
    """
    found = members(
        value,
        "evidence of an order",
        required=("order", "order_proof", "count", "count_proof", "head"),
    )
    head = found["head"]
    if not isinstance(head, str) or len(head) > MAX_NOTE_BYTES:
        raise Malformed("head is no string, or too long")
    return OrderEvidence(
        order=DisclosureOrder.parse(found["order"]),
        order_proof=parse_map_proof(found["order_proof"]),
        count=DisclosureCount.parse(found["count"]),
        count_proof=parse_map_proof(found["count_proof"]),
        head=head,
    )


def commitment_of(sealed: SealedIdentity, salt: bytes) -> bytes:
    """What an order says about the identity that it opens; nothing without the salt.

    Raises:
        Malformed: the salt has another length than `SALT_BYTES`.
    """
    if len(salt) != SALT_BYTES:
        raise Malformed(f"the salt of an order is {SALT_BYTES} random bytes")
    return labelled_hash("cairn/opening-order/v1", salt, sealed.digest)


class VerifiedOrder:
    """An order whose proof was checked against the record in hand. Made by `verify_order` only."""

    __slots__ = ("_evidence", "_now", "_salt", "_trust", "order")

    order: DisclosureOrder
    _evidence: OrderEvidence
    _salt: bytes
    _trust: AnyTrustAnchor
    _now: int

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        raise OrderNotVerified("an order is verified, never asserted")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise OrderNotVerified("a verified order does not change")

    def __reduce__(self) -> NoReturn:
        raise OrderNotVerified("a verified order is not carried about; carry its evidence")


def verify_order(
    evidence: OrderEvidence, *, sealed: SealedIdentity, salt: bytes, trust: AnyTrustAnchor, now: int
) -> VerifiedOrder:
    """Check that the ledger holds an order to open just this sealed identity.

    1. The record was sealed on the network of the trust anchor, whose keys signed the head.
    2. The order is number n of the state under that head.
    3. The public count under that head is at least n: the order was counted.
    4. The order's commitment is the salted hash of this record.
    5. At least as many institutions that hold a share stand behind it as are needed to open.

    Args:
        now: Unix seconds, by the caller's clock.

    Raises:
        OrderNotVerified: a step fails.
        NotProven, Malformed: the head is not signed, or a proof does not prove.
    """
    order = _checked(evidence, sealed=sealed, salt=salt, trust=trust, now=now)
    verified = object.__new__(VerifiedOrder)
    for name, value in (
        ("order", order),
        ("_evidence", evidence),
        ("_salt", salt),
        ("_trust", trust),
        ("_now", now),
    ):
        object.__setattr__(verified, name, value)
    return verified


def require_order(order: VerifiedOrder, sealed: SealedIdentity) -> DisclosureOrder:
    """The order, checked once more for this record; first line of everything that decrypts.

    Raises:
        OrderNotVerified: it is for another record, or was not made by `verify_order`.
        NotProven, Malformed: as `verify_order`.
    """
    try:
        if type(order) is VerifiedOrder:
            evidence, salt, trust = order._evidence, order._salt, order._trust
            return _checked(evidence, sealed=sealed, salt=salt, trust=trust, now=order._now)
    except AttributeError as error:  # made around `verify_order`, so it has no evidence
        raise OrderNotVerified("nothing is opened without a verified order") from error
    raise OrderNotVerified("nothing is opened without a verified order")


def _checked(
    evidence: OrderEvidence, *, sealed: SealedIdentity, salt: bytes, trust: AnyTrustAnchor, now: int
) -> DisclosureOrder:
    if sealed.custody.network != trust.network:  # 1
        raise OrderNotVerified("the identity was sealed on another network")
    head = verify_head(evidence.head, trust, now=now)
    order, count = evidence.order, evidence.count
    key = disclosure_order_key(order.number)
    verify_map_proof(evidence.order_proof, key=key, value=order.encode(), root=head.state_root)  # 2
    verify_map_proof(
        evidence.count_proof, key=DISCLOSURES_KEY, value=count.encode(), root=head.state_root
    )  # 3
    if count.count < order.number:
        raise OrderNotVerified("the public count does not include the order")
    if order.commitment != commitment_of(sealed, salt):  # 4
        raise OrderNotVerified("the order is for another sealed identity")
    behind = {item.institution for item in sealed.custody.holders} & set(order.institutions)
    if len(behind) < sealed.custody.threshold:  # 5
        raise OrderNotVerified("too few of the institutions that hold a share stand behind it")
    return order
