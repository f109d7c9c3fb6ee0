"""Gathers what the checks need to know, each part as a value or as the reason why it is missing.

Nothing is decided here. What a credential says about itself only tells where to look; status lists
are fetched from places that the ledger names, and batches whole, so that no issuer learns which
credential was shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from identity.core.credential_types import Catalogue, CredentialType
from identity.core.dcql import CredentialFormat
from identity.core.status_list import STATUS_TOKEN_TYP
from identity.core.verification.case import (
    AccreditationEvidence,
    Evidence,
    OffLedgerStatus,
    StatusEvidence,
)
from identity.core.verification.did_documents import (
    IssuerDocument,
    is_self_describing,
    self_description,
)
from identity.core.verification.failure import CheckFailed
from identity.core.verification.policy import Policy, Rule
from identity.core.verification.presented import Hints
from identity.core.verification.status_check import list_digest
from identity.core.verification.verdict import Check
from identity.verifier.ports import Batches, Registry, SeenVersions, StatusLists, WebNames
from registry.core.accreditation import MAX_DEPTH, Accreditation
from registry.core.did_document import did_document
from registry.core.did_record import DidRecord, version_at
from registry.core.receipt import AnchorReceipt, BatchTree, build_receipt
from registry.core.refusals import Refusal
from registry.core.status import StatusRecord

T = TypeVar("T")

MAX_VERSIONS_READ = 4  # of a DID, back from the anchor; keys rotate rarely within ten minutes
_ACCEPT_TOKEN = f"application/{STATUS_TOKEN_TYP}"
_ACCEPT_CREDENTIAL = "application/vc+ld+json, application/ld+json, application/json"


class EvidenceReader:
    """Reads evidence about one credential at a time."""

    def __init__(
        self,
        *,
        registry: Registry,
        status_lists: StatusLists,
        batches: Batches,
        seen_versions: SeenVersions,
        catalogue: Catalogue,
        web_names: WebNames,
    ) -> None:
        self._registry = registry
        self._web_names = web_names
        self._status_lists = status_lists
        self._batches = batches
        self._seen_versions = seen_versions
        self._catalogue = catalogue

    def on_ledger(self, hints: Hints) -> Hints:
        """Hints about an issuer that calls itself by a `did:web`, led to its DID on the ledger.

        The web document names that DID, and the ledger's record names the `did:web`: whoever holds
        the web address alone can be nobody else.

        Raises:
            CheckFailed: no DID on the ledger has that name.
            NotPermitted, Unavailable: the web document cannot be had.
        """
        if not hints.did.startswith("did:web:"):
            return hints
        for did in self._web_names.ledger_dids(hints.did):
            record = self._registry.did(did)
            if record is not None and hints.did in record.details.also_known_as:
                _, _, fragment = hints.method.partition("#")
                return replace(hints, did=did, method=f"{did}#{fragment}")
        raise CheckFailed("issuer_unknown", "no DID on the ledger has the issuer's did:web")

    def gather(
        self, hints: Hints, *, stapled: AnchorReceipt | Refusal | None, policy: Policy
    ) -> Evidence:
        """Read what `policy` needs to know about the credential that `hints` describes.

        Args:
            stapled: the receipt that came with it, why it cannot be read, or None for none.
        """
        receipt = _unless_waived(policy, Check.ANCHOR, lambda: self._receipt(hints, stapled))
        height = None if isinstance(receipt, Refusal) else receipt.batch.height
        return Evidence(
            documents=_attempt(lambda: self._documents(hints, height, policy)),
            accreditation=_unless_waived(
                policy, Check.ACCREDITATION, lambda: self._accreditation(hints.did)
            ),
            schema_digest=_unless_waived(policy, Check.SCHEMA, lambda: self._schema_digest(hints)),
            statuses=self._statuses(hints, policy),
            receipt=receipt,
            compromised=_attempt(lambda: self._compromised(hints.did)),
        )

    def renewed(self, receipt: AnchorReceipt) -> AnchorReceipt:
        """A receipt whose head has outlived its validators, with the same batch under a new head.

        The path in the batch is the holder's; only the batch is asked for, of the ledger alone.
        When that cannot be had, the receipt is what it was.
        """
        try:
            fresh = self._registry.batch(receipt.batch.issuer, receipt.batch.batch)
            if fresh is None or fresh.record != receipt.batch:
                return receipt
            return build_receipt(
                digest=receipt.digest,
                index=receipt.index,
                path=receipt.path,
                batch=fresh.record,
                proof=fresh.proof,
                head=fresh.head,
            )
        except Refusal:
            return receipt

    def _compromised(self, did: str) -> Mapping[str, int]:
        """Keys that the ledger declares stolen, by name of the method: from which height on."""
        if is_self_describing(did):
            return {}
        record = self._registry.compromised_keys(did)
        keys = record.keys if record else ()
        return {f"{did}#{key.fragment}": key.from_height for key in keys}

    def _documents(
        self, hints: Hints, height: int | None, policy: Policy
    ) -> tuple[IssuerDocument, ...]:
        """Today's version of the issuer's DID, and those around the time of issuing."""
        if is_self_describing(hints.did):
            return (self_description(hints.method),)
        newest = self._registry.did(hints.did)
        if newest is None:
            raise CheckFailed("issuer_unknown", "the issuer's DID is not on the ledger")
        documents = [_version(newest, None)]
        version, following = newest, newest
        if height is not None and newest.height > height:
            found = version_at(
                height, newest=newest, read_version=partial(self._registry.did_version, newest.did)
            )
            if found is None:
                raise CheckFailed("issuer_unknown", "the issuer's DID is younger than the anchor")
            version, following = found, self._following(found, newest)
            documents.append(_version(version, following.time))
        begins = hints.issued_at
        for _ in range(MAX_VERSIONS_READ):
            reaches = begins is not None and version.time <= begins - policy.clock_skew_seconds
            if version.version == 1 or reaches:
                break
            earlier = self._registry.did_version(newest.did, version.version - 1)
            if earlier is None:
                break
            documents.append(_version(earlier, version.time))
            version = earlier
        return tuple(documents)

    def _following(self, version: DidRecord, newest: DidRecord) -> DidRecord:
        if version.version + 1 >= newest.version:
            return newest
        return self._registry.did_version(newest.did, version.version + 1) or newest

    def _accreditation(self, did: str) -> AccreditationEvidence:
        if is_self_describing(did):
            raise CheckFailed("not_accredited", "the ledger accredits nobody of this DID method")
        own = tuple(self._registry.accreditations(did))
        above: dict[str, Accreditation] = {}
        for grant in own:
            under = grant.under
            for _ in range(MAX_DEPTH):
                if under is None or under in above:
                    break
                found = self._registry.accreditation(under)
                if found is None:
                    break
                above[under] = found
                under = found.under
        return AccreditationEvidence(own=own, above=above, newest_height=self._registry.height())

    def _schema_digest(self, hints: Hints) -> bytes:
        kind = self._type(hints)
        digest = self._registry.schema_digest(kind.name, kind.version)
        if digest is None:
            raise CheckFailed("schema_not_on_ledger", "the ledger has no schema for this type")
        return digest

    def _type(self, hints: Hints) -> CredentialType:
        if hints.format is CredentialFormat.SD_JWT_VC:
            return self._catalogue.by_vct(hints.types[0])
        if hints.format is CredentialFormat.MSO_MDOC:
            return self._catalogue.by_doctype(hints.types[0])
        return self._catalogue.by_vc_type(hints.types)

    def _statuses(
        self, hints: Hints, policy: Policy
    ) -> Mapping[str, StatusEvidence | OffLedgerStatus | Refusal]:
        if policy.rules[Check.STATUS] is Rule.WAIVED:
            return {}
        return {
            uri: _attempt(lambda uri=uri: self._status(uri, hints, policy))  # type: ignore[misc]
            for uri in hints.status_uris
        }

    def _status(self, uri: str, hints: Hints, policy: Policy) -> StatusEvidence | OffLedgerStatus:
        record = None
        if not is_self_describing(hints.did):
            record = self._registry.status_list(uri, fresh=False)
        if record is None:
            if not policy.accepts_off_ledger_status:
                raise CheckFailed("status_not_on_ledger", "the ledger knows no such status list")
            # Without a digest from the ledger nothing tells an old copy from the newest.
            self._status_lists.forget(uri, version_key=b"")
            return OffLedgerStatus(
                body=_attempt(lambda: self._fetch(uri, hints.format, version_key=b""))
            )
        body = self._newest_body(record, hints)
        if body is None:  # published in this moment: either side may be a step ahead
            self._status_lists.forget(uri, version_key=record.digest)
            record = self._registry.status_list(uri, fresh=True) or record
            body = self._newest_body(record, hints)
        self._seen_versions.remember(uri, record.version)
        return StatusEvidence(
            issuer=record.issuer,
            digest=record.digest,
            version=record.version,
            body=body
            or CheckFailed("status_not_newest", "the list is not the one that the ledger names"),
        )

    def _newest_body(self, record: StatusRecord, hints: Hints) -> bytes | Refusal | None:
        """The list that `record` names, why it cannot be had, or None when another is served."""
        if record.issuer != hints.did:  # nobody is made to fetch somebody else's list
            return CheckFailed("status_of_other_issuer", "another issuer publishes this list")
        try:
            body = self._fetch(record.uri, hints.format, version_key=record.digest)
            return body if list_digest(body, hints.format) == record.digest else None
        except Refusal as refusal:
            return refusal

    def _fetch(self, uri: str, credential_format: CredentialFormat, *, version_key: bytes) -> bytes:
        return self._status_lists.fetch(
            uri,
            accept=_ACCEPT_CREDENTIAL if credential_format.is_w3c else _ACCEPT_TOKEN,
            version_key=version_key,
        )

    def _receipt(self, hints: Hints, stapled: AnchorReceipt | Refusal | None) -> AnchorReceipt:
        """The stapled receipt, or one built from the issuer's whole batch."""
        if isinstance(stapled, Refusal):
            raise stapled
        if stapled is not None:
            return stapled
        if isinstance(hints.anchor, Refusal):
            raise hints.anchor
        batch = self._registry.batch(hints.did, hints.anchor.batch)
        if batch is None:
            raise CheckFailed("not_anchored", "the ledger has no such batch of this issuer")
        digests = self._batches.digests(self._issuer_url(hints.did), hints.anchor.batch)
        if hints.digest not in digests:
            raise CheckFailed("not_anchored", "the issuer's batch does not hold this credential")
        index = list(digests).index(hints.digest)
        return build_receipt(
            digest=hints.digest,
            index=index,
            path=BatchTree(digests).path(index),
            batch=batch.record,
            proof=batch.proof,
            head=batch.head,
        )

    def _issuer_url(self, did: str) -> str:
        record = self._registry.did(did)
        for name in record.details.also_known_as if record else ():
            if name.startswith(("https://", "http://")):
                return name
        raise CheckFailed("not_anchored", "the issuer publishes no address for its batches")


def _version(record: DidRecord, end: int | None) -> IssuerDocument:
    return IssuerDocument(document=did_document(record), start=record.time, end=end)


def _attempt(read: Callable[[], T]) -> T | Refusal:
    try:
        return read()
    except Refusal as refusal:
        return refusal


def _unless_waived(policy: Policy, check: Check, read: Callable[[], T]) -> T | Refusal:
    if policy.rules[check] is Rule.WAIVED:
        return CheckFailed("not_read", "not read, because the policy waives the check")
    return _attempt(read)
