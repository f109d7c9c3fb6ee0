"""Recovery by guardians: m of n keys that a person chose while she had her wallet. Pure.

Two kinds are signed, each with its own `typ`: her order (with the key of her credential) sets,
withdraws or stops; a guardian's approval names one recovery and the one new key that it is for.
Guardians are keys, never names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from identity.core.jose import parse_compact, sign_compact, verify_compact
from identity.core.signing import Signer
from registry.core.encoding import JsonObject
from registry.core.hashing import labelled_hash
from registry.core.keys import KeyType, PublicKey, parse_jwk
from registry.core.refusals import Malformed, NotPermitted

ORDER_TYP = "guardian-order+jwt"
APPROVAL_TYP = "guardian-approval+jwt"
MIN_APPROVALS = 2
MAX_GUARDIANS = 8
DAY = 86_400
MIN_WAIT_SECONDS, MAX_WAIT_SECONDS = DAY, 30 * DAY
MAX_APPROVAL_SECONDS = 7 * DAY  # a signature that lies around opens nothing for long
MAX_ORDER_AGE_SECONDS = 300
CLOCK_SKEW_SECONDS = 120
MAX_ORDER_CHARS = 16 << 10
MAX_APPROVAL_CHARS = 4 << 10
KEY_TYPES = frozenset({KeyType.P256, KeyType.ED25519})


class ArrangementNotAccepted(Malformed):
    """Too few or too many guardians, one twice, her own key, or a wait out of bounds."""


class OrderNotAccepted(NotPermitted):
    """The order is another act, for somebody else, too old, or about something else."""


class ApprovalNotAccepted(NotPermitted):
    """No guardian of this arrangement approved this recovery with this key."""


class Act(StrEnum):
    """What a person orders."""

    SET = "set"
    WITHDRAW = "withdraw"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """Whom she chose. `threshold` of `guardians` are needed; then `wait_seconds` must pass."""

    guardians: tuple[PublicKey, ...]
    threshold: int
    wait_seconds: int

    @property
    def by_thumbprint(self) -> dict[str, PublicKey]:
        """The guardians by the RFC 7638 thumbprint that an approval's `kid` names."""
        return {key.jwk_thumbprint: key for key in self.guardians}

    def to_object(self) -> JsonObject:
        """As it stands in an order."""
        return {
            "guardians": [key.jwk for key in self.guardians],
            "threshold": self.threshold,
            "wait_seconds": self.wait_seconds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A verified order; its nonce must still be used up."""

    act: Act
    nonce: str
    arrangement: Arrangement | None  # of a `set`
    recovery: str | None  # of a `stop`


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCase:
    """What an approval has to name: agency, arrangement, recovery, and thumbprint of the key."""

    agency: str  # issuer URL
    arrangement: str
    recovery: str
    new_key: str


def parse_arrangement(
    value: JsonObject, *, holder: PublicKey, min_wait_seconds: int = MIN_WAIT_SECONDS
) -> Arrangement:
    """Admit an arrangement of the person who holds `holder`.

    Raises:
        ArrangementNotAccepted: as its text says.
        KeyNotAdmitted: a guardian's key is none.
    """
    listed = value.get("guardians")
    if not isinstance(listed, list) or not MIN_APPROVALS <= len(listed) <= MAX_GUARDIANS:
        raise ArrangementNotAccepted(f"{MIN_APPROVALS} to {MAX_GUARDIANS} guardians are needed")
    keys = tuple(parse_jwk(item) for item in listed)
    if any(key.type not in KEY_TYPES for key in keys):
        raise ArrangementNotAccepted("a guardian's key is a P-256 or an Ed25519 key")
    if len(set(keys)) != len(keys):
        raise ArrangementNotAccepted("a guardian is named twice")
    if holder in keys:
        raise ArrangementNotAccepted("nobody is her own guardian")
    threshold = _whole(value, "threshold")
    if not MIN_APPROVALS <= threshold <= len(keys):
        raise ArrangementNotAccepted(f"the threshold lies between {MIN_APPROVALS} and {len(keys)}")
    wait = _whole(value, "wait_seconds")
    if not min_wait_seconds <= wait <= MAX_WAIT_SECONDS:
        raise ArrangementNotAccepted(
            f"the wait lies between {min_wait_seconds} and {MAX_WAIT_SECONDS} seconds"
        )
    return Arrangement(guardians=keys, threshold=threshold, wait_seconds=wait)


def verify_order(
    unverified: str,
    *,
    holder: PublicKey,
    agency: str,
    now: int,
    min_wait_seconds: int = MIN_WAIT_SECONDS,
) -> Order:
    """Check an order of whoever holds `holder`.

    The caller has tied the key to a person, and still has to use up the nonce.

    Raises:
        OrderNotAccepted: another agency, too old, or no act of ours.
        ArrangementNotAccepted: see `parse_arrangement`.
        Refusal: as `verify_compact`.
    """
    jws = parse_compact(unverified, max_chars=MAX_ORDER_CHARS)
    claims = verify_compact(jws, key=holder, typ=ORDER_TYP).claims
    if claims.get("aud") != agency:
        raise OrderNotAccepted("the order is for another agency")
    issued = _whole(claims, "iat")
    if not now - MAX_ORDER_AGE_SECONDS <= issued <= now + CLOCK_SKEW_SECONDS:
        raise OrderNotAccepted("the order was not signed just now")
    nonce, act = claims.get("nonce"), claims.get("act")
    if not isinstance(nonce, str) or act not in tuple(Act):
        raise OrderNotAccepted("the order has no nonce, or no act that we know")
    arrangement, recovery = None, None
    if act == Act.SET:
        arrangement = parse_arrangement(claims, holder=holder, min_wait_seconds=min_wait_seconds)
    elif act == Act.STOP:
        recovery = claims.get("recovery")
        if not isinstance(recovery, str):
            raise OrderNotAccepted("the order does not say which recovery it stops")
    return Order(act=Act(act), nonce=nonce, arrangement=arrangement, recovery=recovery)


def sign_approval(case: RecoveryCase, *, signer: Signer, now: int, expires: int) -> str:
    """A guardian's approval of one recovery."""
    claims: JsonObject = {
        "aud": case.agency,
        "arrangement": case.arrangement,
        "recovery": case.recovery,
        "cnf": {"jkt": case.new_key},
        "iat": now,
        "exp": expires,
    }
    header = {"typ": APPROVAL_TYP, "kid": signer.key.jwk_thumbprint}
    return sign_compact(header=header, payload=claims, signer=signer)


def verify_approval(
    unverified: str, *, case: RecoveryCase, guardians: Mapping[str, PublicKey], now: int
) -> str:
    """Check one approval; the header names a guardian but never brings the key.

    Returns:
        The guardian's thumbprint.

    Raises:
        ApprovalNotAccepted: another agency, arrangement, recovery or key, no guardian of it,
            expired, from the future, or good for longer than `MAX_APPROVAL_SECONDS`.
        Refusal: as `verify_compact`.
    """
    jws = parse_compact(unverified, max_chars=MAX_APPROVAL_CHARS)
    named = jws.header.get("kid")
    key = guardians.get(named) if isinstance(named, str) else None
    if key is None:
        raise ApprovalNotAccepted("no guardian of this arrangement signed it")
    claims = verify_compact(jws, key=key, typ=APPROVAL_TYP).claims
    expected = {"aud": case.agency, "arrangement": case.arrangement, "recovery": case.recovery}
    for name, value in expected.items():
        if claims.get(name) != value:
            raise ApprovalNotAccepted(f"the approval is for another {name}")
    confirmation = claims.get("cnf")
    if not isinstance(confirmation, dict) or confirmation.get("jkt") != case.new_key:
        raise ApprovalNotAccepted("the approval is for another key")
    issued, expires = _whole(claims, "iat"), _whole(claims, "exp")
    if issued > now + CLOCK_SKEW_SECONDS:
        raise ApprovalNotAccepted("the approval is from the future")
    if not issued < expires <= issued + MAX_APPROVAL_SECONDS or expires <= now:
        raise ApprovalNotAccepted("the approval has expired, or would hold for too long")
    return key.jwk_thumbprint


def enough(
    approvals: Iterable[tuple[str, int]], *, arrangement: Arrangement, case: RecoveryCase
) -> bool:
    """Whether at least `threshold` different guardians approved.

    Args:
        approvals: the signed texts with the time at which each came; each is verified anew.
        arrangement: whose guardians count.
        case: what they must have approved.

    Raises:
        Refusal: one of them does not verify; then none of them counts.
    """
    known = arrangement.by_thumbprint
    given = {
        verify_approval(text, case=case, guardians=known, now=came) for text, came in approvals
    }
    return len(given) >= arrangement.threshold


def key_code(key: PublicKey) -> str:
    """Digits that two people compare before one chooses the other's key: five groups of four."""
    return _digits(labelled_hash("cairn/guardian-code/v1", key.jwk_thumbprint.encode()))


def recovery_code(case: RecoveryCase) -> str:
    """Digits that a guardian and the new wallet compare before she approves."""
    parts = (case.agency, case.arrangement, case.recovery, case.new_key)
    return _digits(labelled_hash("cairn/recovery-code/v1", *(part.encode() for part in parts)))


def _digits(digest: bytes) -> str:
    """66 bits: nobody makes a key whose digits are those of another one."""
    text = f"{int.from_bytes(digest[:12]) % 10**20:020}"
    return " ".join(text[at : at + 4] for at in range(0, 20, 4))


def _whole(value: JsonObject, name: str) -> int:
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < 1 << 53:
        raise Malformed(f"{name} is no whole number")
    return found
