"""Whether the keys of the author signed a transaction, and every key that it brings in."""

from dataclasses import dataclass

from registry.core.did import INVOCATION, DidDetails
from registry.core.did_actions import CreateDid, UpdateDid
from registry.core.did_record import DidRecord
from registry.core.disclosure import RecordDisclosure
from registry.core.keys import PublicKey, verify_signature
from registry.core.records import StateReader, did_key, read_record
from registry.core.refusals import NotFound, NotPermitted
from registry.core.transactions import SignedTransaction, signing_message


class AuthorUnknown(NotFound):
    """The author is a DID that was never created."""


class AuthorDeactivated(NotPermitted):
    """The author is a DID that is deactivated."""


class SignerNotAllowed(NotPermitted):
    """A signature names a key that may not sign this transaction.

    May sign: the author's ledger keys (`capabilityInvocation`) of this moment, its recovery keys
    for `update-did`, the keys that the transaction itself brings in, and the ledger keys of the
    institutions behind a disclosure order.
    """


class AuthorNotProven(NotPermitted):
    """No key that speaks for the author has signed."""


class PossessionNotProven(NotPermitted):
    """A key that the transaction brings in has not signed it."""


class InstitutionNotProven(NotPermitted):
    """An institution behind a disclosure order has not signed it, or its DID is deactivated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorship:
    """A proven author. `record` is its DID's newest version, None when this creates it."""

    author: str
    record: DidRecord | None
    by_recovery: bool  # a recovery key of `record` signed


def verify_authorship(transaction: SignedTransaction, *, state: StateReader) -> Authorship:
    """Check every signature of a transaction against the state before it.

    1. The author exists and is not deactivated, or is created here.
    2. Every signature names a key that may sign, and verifies under it.
    3. A key that speaks for the author signed.
    4. Every key that the transaction brings in signed.
    5. A key that speaks for each institution behind a disclosure order signed.

    Raises:
        AuthorUnknown, AuthorDeactivated, SignerNotAllowed, SignatureNotValid, AuthorNotProven,
        PossessionNotProven, InstitutionNotProven: as they say.
    """
    action, author = transaction.payload.action, transaction.author

    # 1
    record: DidRecord | None = None
    if not isinstance(action, CreateDid):
        record = read_record(state, did_key(author), DidRecord.parse)
        if record is None:
            raise AuthorUnknown("the author does not exist")
        if record.deactivated:
            raise AuthorDeactivated("the author is deactivated")

    # 2
    speaking = _speaking_keys(record)
    recovery = _recovery_keys(record) if isinstance(action, UpdateDid) else {}
    brought = _brought_keys(action, record) if isinstance(action, CreateDid | UpdateDid) else {}
    behind = _institutions(action, state) if isinstance(action, RecordDisclosure) else []
    allowed = {**brought, **recovery, **speaking}
    for keys in behind:
        allowed |= keys
    message = signing_message(transaction.payload)
    signed = set()
    for signature in transaction.signatures:
        key = allowed.get(signature.key)
        if key is None:
            raise SignerNotAllowed("a signature is by a key that may not sign this transaction")
        verify_signature(key, message=message, signature=signature.value)
        signed.add(signature.key)

    # 3
    if record is not None and not signed & (speaking.keys() | recovery.keys()):
        raise AuthorNotProven("no key that speaks for the author has signed")

    # 4
    if not signed >= brought.keys():
        raise PossessionNotProven("every key that the transaction brings in must sign it")

    # 5
    if not all(signed & keys.keys() for keys in behind):
        raise InstitutionNotProven("an institution behind the order has not signed it")
    return Authorship(author=author, record=record, by_recovery=bool(signed & recovery.keys()))


def _speaking_keys(record: DidRecord | None) -> dict[str, PublicKey]:
    if record is None:
        return {}
    return {
        f"{record.did}#{method.fragment}": method.key
        for method in record.details.verification_methods
        if method.purpose == INVOCATION
    }


def _institutions(action: RecordDisclosure, state: StateReader) -> list[dict[str, PublicKey]]:
    """The keys that speak for each institution; none for one without a DID, or deactivated."""
    return [
        _speaking_keys(read_record(state, did_key(institution), DidRecord.parse))
        for institution in action.institutions
    ]


def _recovery_keys(record: DidRecord | None) -> dict[str, PublicKey]:
    if record is None:
        return {}
    return {f"{record.did}#{item.fragment}": item.key for item in record.details.recovery}


def _brought_keys(action: CreateDid | UpdateDid, record: DidRecord | None) -> dict[str, PublicKey]:
    """Keys that the author's DID does not hold now, by the key id under which they sign."""
    held = _all_keys(record.details) if record else {}
    did = record.did if record else ""
    return {
        f"{did}#{fragment}": key
        for fragment, key in _all_keys(action.details).items()
        if held.get(fragment) != key
    }


def _all_keys(details: DidDetails) -> dict[str, PublicKey]:
    return {fragment: key for fragment, key, _ in details.held}
