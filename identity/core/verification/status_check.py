"""The check of revocation and suspension, by lists whose digests the ledger holds."""

from dataclasses import dataclass

from identity.core import data_integrity, jose, status_list
from identity.core.dcql import CredentialFormat
from identity.core.verification.case import Case, OffLedgerStatus, StatusEvidence
from identity.core.verification.did_documents import (
    find_key,
    is_allowed,
    is_self_describing,
    key_of,
)
from identity.core.verification.failure import CheckFailed, NothingToCheck
from identity.core.verification.times import read_time
from registry.core.encoding import JsonObject, parse_json_object
from registry.core.hashing import sha256
from registry.core.keys import PublicKey
from registry.core.refusals import Malformed, Refusal

_VALID, _REVOKED, _SUSPENDED = 0, 1, 2  # Token Status List §7.1
_BITSTRING_MEANING = {"revocation": _REVOKED, "suspension": _SUSPENDED}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One place in one list; `purpose` is empty in a Token Status List, which says its `bits`."""

    uri: str
    index: int
    purpose: str
    bits: int


def check_status(case: Case) -> str:
    """Neither revoked nor suspended, by every list that the credential names.

    1. The credential names at least one list, and one that says whether it was revoked.
    2. The ledger knows each list, as published by this issuer.
    3. The list is signed by the issuer, is the list asked for, and has not expired.
    4. Its digest is the one on the ledger, so it is the newest version.
    5. The credential's place in it says "valid".
    """
    entries = _entries(case)
    if not entries:  # 1
        raise NothingToCheck("status_missing", "the credential names no status list")
    purposes = {entry.purpose for entry in entries}
    if "" not in purposes and "revocation" not in purposes:
        raise CheckFailed("status_missing", "no list says whether the credential was revoked")
    for entry in entries:
        status = _read(entry, case)
        if status == _REVOKED:  # 5
            raise CheckFailed("revoked", "the issuer has revoked the credential")
        if status == _SUSPENDED:
            raise CheckFailed("suspended", "the issuer has suspended the credential")
        if status != _VALID:
            raise CheckFailed("status_unknown", "the list has a value that has no meaning")
    return "neither revoked nor suspended"


def list_digest(body: bytes, credential_format: CredentialFormat) -> bytes:
    """SHA-256 of the uncompressed list in `body`, before anything about it is checked.

    Raises:
        Malformed: no list in that format.
    """
    return sha256(_unverified_list(body, credential_format))


def _entries(case: Case) -> tuple[_Entry, ...]:
    credential = case.credential
    if not credential.format.is_w3c:
        reference = status_list.parse_token_reference(credential.content)
        return (_Entry(reference.uri, reference.index, "", 0),) if reference else ()
    return tuple(
        _Entry(entry.uri, entry.index, entry.purpose, entry.bits)
        for entry in status_list.parse_bitstring_entries(credential.content)
        if entry.purpose in _BITSTRING_MEANING  # others, such as `message`, say nothing of validity
    )


def _read(entry: _Entry, case: Case) -> int:
    evidence = case.evidence.statuses.get(entry.uri)
    if evidence is None:
        raise CheckFailed("status_not_read", "a status list was not read")
    if isinstance(evidence, Refusal):  # 2
        raise evidence
    if isinstance(evidence, OffLedgerStatus) and not case.policy.accepts_off_ledger_status:
        raise CheckFailed("status_not_on_ledger", "the ledger knows no such status list")
    if isinstance(evidence, StatusEvidence) and evidence.issuer != case.hints.did:
        raise CheckFailed("status_of_other_issuer", "the list was published by another issuer")
    if isinstance(evidence.body, Refusal):
        raise evidence.body
    if entry.purpose:
        data = _verified_bitstring(evidence.body, entry, case)  # 3
    else:
        data, bits = _verified_token(evidence.body, entry, case)
    if isinstance(evidence, StatusEvidence) and sha256(data) != evidence.digest:  # 4
        raise CheckFailed("status_not_newest", "the list is not the one on the ledger")
    if entry.purpose:
        is_set = status_list.read_bitstring(data, entry.index, bits=entry.bits)
        return _BITSTRING_MEANING[entry.purpose] if is_set else _VALID
    return status_list.read_token_status(data, entry.index, bits=bits)


def _verified_token(body: bytes, entry: _Entry, case: Case) -> tuple[bytes, int]:
    unverified = jose.parse_compact(_ascii(body))
    method = unverified.header.get("kid")
    verified = jose.verify_compact(
        unverified, key=_status_key(method, case), typ=status_list.STATUS_TOKEN_TYP
    )
    # Peers' clocks differ: a list that began seconds from now is read as of the skew from now.
    parsed = status_list.parse_status_token(verified.claims, uri=entry.uri, now=case.now_seconds)
    if parsed.issued_at > case.now_seconds + case.policy.clock_skew_seconds:
        raise CheckFailed("status_in_future", "the list is from the future")
    return parsed.data, parsed.bits


def _verified_bitstring(body: bytes, entry: _Entry, case: Case) -> bytes:
    document = parse_json_object(body)
    data_integrity.verify_proofs(
        document,
        purpose="assertionMethod",
        resolve_key=lambda method, _purpose: _status_key(method, case),
        contexts=case.world.contexts,
        now=case.now,
        domain=None,
        challenge=None,
    )
    names = {case.credential.issuer}
    if case.credential.issuer.startswith("did:web:"):
        names.add(case.hints.did)  # known by two names that bind each other, signing under either
    if document.get("issuer") not in names:
        raise CheckFailed("status_of_other_issuer", "the list is issued by somebody else")
    _check_period(document, case)
    return status_list.parse_bitstring_credential(document, uri=entry.uri, purpose=entry.purpose)


def _check_period(document: JsonObject, case: Case) -> None:
    skew = case.policy.clock_skew_seconds
    if "validFrom" in document and read_time(document["validFrom"]) > case.now_seconds + skew:
        raise CheckFailed("status_in_future", "the list is from the future")
    if "validUntil" in document and read_time(document["validUntil"]) <= case.now_seconds - skew:
        raise CheckFailed("status_expired", "the list has expired")


def _status_key(method: object, case: Case) -> PublicKey:
    """A key of the credential's issuer for `assertionMethod`: today's, or that of issuing."""
    if not isinstance(method, str) or method.partition("#")[0] != case.hints.did:
        raise CheckFailed("status_of_other_issuer", "the list is signed by somebody else")
    if is_self_describing(method):
        return key_of(method)
    documents = case.evidence.documents
    if not isinstance(documents, Refusal) and is_allowed(documents, method, "assertionMethod"):
        return find_key(documents, method)
    raise CheckFailed("status_key_unknown", "the list is signed with a key that is not for it")


def _unverified_list(body: bytes, credential_format: CredentialFormat) -> bytes:
    if not credential_format.is_w3c:
        claims = jose.parse_compact(_ascii(body)).claims
        held = claims.get("status_list")
        encoded = held.get("lst") if isinstance(held, dict) else None
        return status_list.decode_token_list(_text(encoded))
    subject = parse_json_object(body).get("credentialSubject")
    encoded = subject.get("encodedList") if isinstance(subject, dict) else None
    return status_list.decode_bitstring(_text(encoded))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed("a status list holds no list")
    return value


def _ascii(body: bytes) -> str:
    try:
        return body.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise Malformed("a status token is ASCII text") from error
