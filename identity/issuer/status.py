"""Status of issued credentials: changing it, and publishing it.

A list is published on the ledger first (its digest, by `publish-status`) and served afterwards, so
nobody is ever shown a list that the ledger does not vouch for. Publishing survives a crash at any
point: lists and signed transaction are stored before the transaction is submitted, and submitting
the same transaction again changes nothing.
"""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from identity.core.certificates import NO_CERTIFICATES, with_x5c
from identity.core.data_integrity import add_proof
from identity.core.issuance import (
    BACKDATE_SECONDS,
    CRYPTOSUITE,
    STATUS_LIST_SIZE,
    status_uri,
)
from identity.core.jose import sign_compact
from identity.core.parties import Agency
from identity.core.status_list import (
    STATUS_TOKEN_TYP,
    bitstring_credential,
    pack_bitstring,
    pack_token_list,
    status_token_payload,
)
from identity.core.status_list.cwt import sign_status_cwt
from identity.issuer.ledger_transactions import publish_status_transaction
from identity.issuer.parts import IssuerParts
from identity.issuer.records import (
    Issuance,
    PendingLists,
    Status,
    StatusDocuments,
    StatusGroup,
    StatusLists,
)
from identity.issuer.stores import MAX_GROUP_ENTRIES, EndedRest
from registry.core.encoding import base64url_encode, canonical_json
from registry.core.refusals import Conflict, NotFound, Refusal, Unavailable

BITS = 2  # valid, revoked, suspended (Token Status List §7.1)
LIFETIME = timedelta(hours=24)  # how long an offline verifier may go on with a list
REFRESH_AFTER = timedelta(hours=6)  # sign again long before the lifetime is over
TTL_SECONDS = 15  # how long an online verifier may go on with one
CACHE_SECONDS = 2  # how long this process may
MAX_ROUNDS = 8  # publications in a row while changes keep coming in


class NoSuchCredential(NotFound):
    """This agency issued no credential of that name."""


class NoSuchStatusList(NotFound):
    """This agency publishes no such status list."""


class PublicationRefused(Conflict):
    """The ledger refused a status list; the database may be older than the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """Outcome of a change. `published` is False when the ledger did not answer yet."""

    issuance: str
    status: Status
    published: bool


class StatusPublisher:
    """Brings status lists to the ledger and signs what is served."""

    def __init__(self, parts: IssuerParts) -> None:
        self._parts = parts
        self._lock = Lock()
        self._recent: dict[str, tuple[datetime, StatusDocuments]] = {}

    def ensure_open_group(self, slug: str, *, room: int, now: datetime) -> None:
        """Publish an empty group when no published one has `room`.

        Raises:
            Unavailable: the ledger does not answer.
        """
        statuses, key = self._parts.statuses, self._parts.agency(slug).jose.verification_method
        if statuses.has_open_group(slug, room=room, key=key):
            return
        for group in statuses.unpublished(slug):  # one that an earlier call could not finish
            self.publish(slug, group, now=now)
        if not statuses.has_open_group(slug, room=room, key=key):
            if room > MAX_GROUP_ENTRIES:
                raise Conflict("more copies at once than a status list has entries")
            group = base64url_encode(self._parts.random(16))
            statuses.add_group(slug, group, key=key)
            self.publish(slug, group, now=now)

    def publish(self, slug: str, group: str, *, now: datetime) -> None:
        """Bring every change of `group` to the ledger and sign its documents.

        Raises:
            NoSuchStatusList: there is no such group.
            Unavailable: the ledger does not answer; call again.
            PublicationRefused: the ledger refuses; nothing was un-revoked, nothing is allocated.
        """
        parts, agency = self._parts, self._parts.agency(slug)
        for _ in range(MAX_ROUNDS):
            state = self._state(slug, group)
            pending = state.pending
            if pending is None:
                if state.changes == state.published_changes:
                    break
                pending = self._next(agency, state)
                if not parts.statuses.prepare(group, pending):
                    continue  # another process was faster: finish what it stored
            try:
                parts.registry.submit(pending.transaction)
            except Unavailable:
                raise
            except Refusal as error:
                # A restored backup would publish an older list as a newer version, and revoked
                # credentials would come back to life. The ledger's version check stops that here.
                parts.statuses.close_group(group)
                raise PublicationRefused("the ledger refuses this status list") from error
            parts.statuses.finish(group, pending.version)
        # The ledger names the new lists now: whoever goes on serving the old ones makes verifiers
        # refuse everybody in the group.
        self._keep(self._sign(agency, group, now=now), now=now)

    def publish_due(self, slug: str, *, now: datetime) -> None:
        """Publish what has changed, and sign again what grows old.

        Raises:
            Refusal: of the first group that failed, after all others were tried.
        """
        failed: Refusal | None = None
        old = int((now - REFRESH_AFTER).timestamp())
        for group in self._parts.statuses.due(slug, signed_before=old):
            try:
                self.publish(slug, group, now=now)
            except Refusal as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def documents(self, slug: str, group: str, *, now: datetime) -> StatusDocuments:
        """The signed lists of a published group.

        Raises:
            NoSuchStatusList: no such group, or it is not on the ledger yet.
        """
        agency = self._parts.agency(slug)
        with self._lock:
            recent = self._recent.get(group)
        young = recent is not None and (
            timedelta() <= now - recent[0] < timedelta(seconds=CACHE_SECONDS)
        )
        # Another process may have published since; its list is what verifiers must see at once.
        if (
            recent is not None
            and young
            and recent[1].version >= self._parts.statuses.published_version(group)
        ):
            return recent[1]
        documents = self._sign(agency, group, now=now)
        self._keep(documents, now=now)
        return documents

    def _keep(self, documents: StatusDocuments, *, now: datetime) -> None:
        with self._lock:
            recent = self._recent.get(documents.group)
            if recent is not None and recent[1].version > documents.version:
                return  # read before somebody else published
            if len(self._recent) > 1024:  # groups of all agencies; each holds some 50 KiB
                self._recent.clear()
            self._recent[documents.group] = (now, documents)

    def _state(self, slug: str, group: str) -> StatusGroup:
        state = self._parts.statuses.read_group(slug, group)
        if state is None:
            raise NoSuchStatusList("there is no such status list")
        return state

    def _next(self, agency: Agency, state: StatusGroup) -> PendingLists:
        # The counter was read before the entries: what changes in between is published twice at
        # worst, never forgotten.
        entries = self._parts.statuses.entries(state.group)
        lists = StatusLists(
            token=pack_token_list(
                {index: int(status) for index, status in entries.items()},
                size=STATUS_LIST_SIZE,
                bits=BITS,
            ),
            revocation=_bits(entries, Status.REVOKED),
            suspension=_bits(entries, Status.SUSPENDED),
        )
        version = state.version + 1
        return PendingLists(
            version=version,
            changes=state.changes,
            lists=lists,
            transaction=publish_status_transaction(
                agency,
                network=self._parts.network,
                group=state.group,
                version=version,
                lists={
                    status_uri(agency.issuer_url, state.group, which): hashlib.sha256(data).digest()
                    for which, data in (
                        ("token", lists.token),
                        ("revocation", lists.revocation),
                        ("suspension", lists.suspension),
                    )
                },
                random=self._parts.random,
            ),
        )

    def _sign(self, agency: Agency, group: str, *, now: datetime) -> StatusDocuments:
        """The stored documents, or fresh ones when they are of an old version or grow old."""
        state = self._state(agency.slug, group)
        if state.published is None:
            raise NoSuchStatusList("there is no such status list")
        stored = self._parts.statuses.read_documents(group)
        seconds = int(now.timestamp())
        if (
            stored is not None
            and stored.version == state.version
            and stored.token_cwt
            and 0 <= seconds - stored.signed_at < REFRESH_AFTER.total_seconds()
        ):
            return stored
        fresh = self._documents(agency, state, state.published, now=now)
        self._parts.statuses.put_documents(fresh)
        return fresh

    def _documents(
        self, agency: Agency, state: StatusGroup, lists: StatusLists, *, now: datetime
    ) -> StatusDocuments:
        started, ends = now - timedelta(seconds=BACKDATE_SECONDS), now + LIFETIME

        def credential(purpose: str, data: bytes) -> bytes:
            document = bitstring_credential(
                uri=status_uri(agency.issuer_url, state.group, purpose),
                issuer=agency.did,
                purpose=purpose,
                data=data,
                valid_from=started,
                valid_until=ends,
            )
            return canonical_json(
                add_proof(
                    document,
                    signer=agency.data_integrity,
                    cryptosuite=CRYPTOSUITE,
                    created=started,
                    purpose="assertionMethod",
                    contexts=self._parts.contexts,
                )
            )

        # Signed with the key of its SD-JWT VCs, also after that key was replaced: wallets look for
        # no other (openid4vc.md §2). The certificate is the newest key's.
        signer = agency.signer_of(state.key)
        certificates = agency.certificates if signer is agency.jose else NO_CERTIFICATES
        listed: dict[str, Any] = {
            "uri": status_uri(agency.issuer_url, state.group, "token"),
            "data": lists.token,
            "bits": BITS,
            "issued_at": int(started.timestamp()),
            "expires_at": int(ends.timestamp()),
            "ttl_seconds": TTL_SECONDS,
        }
        header = {"typ": STATUS_TOKEN_TYP, "kid": signer.verification_method}
        token = sign_compact(
            header=with_x5c(header, certificates),
            payload=status_token_payload(**listed),
            signer=signer,
        )
        token_cwt = sign_status_cwt(**listed, signer=signer, chain=certificates.current())
        return StatusDocuments(
            group=state.group,
            version=state.version,
            token=token,
            token_cwt=token_cwt,
            revocation=credential("revocation", lists.revocation),
            suspension=credential("suspension", lists.suspension),
            signed_at=int(now.timestamp()),
            expires_at=int(ends.timestamp()),
        )


class StatusDesk:
    """Suspends, reinstates and revokes credentials: all copies of one, always together."""

    def __init__(self, parts: IssuerParts, publisher: StatusPublisher) -> None:
        self._parts = parts
        self._publisher = publisher

    def change(
        self, slug: str, credential: str, status: Status, *, reason: str | None, now: datetime
    ) -> StatusChange:
        """Change a credential's status, and publish before returning. Safe to repeat.

        Args:
            slug: the agency.
            credential: identifier of the issuance, or `id` of one W3C copy.
            status: the new status.
            reason: a code for the record.
            now: current time.

        Raises:
            NoSuchCredential: this agency issued no such credential.
            StatusIsFinal: it is revoked, and `status` is another.
        """
        issuance = self._known(slug, credential).issuance
        groups = self._parts.issuances.change_status(
            slug, issuance, status, reason=reason, now=int(now.timestamp())
        )
        return StatusChange(
            issuance=issuance, status=status, published=self._publish(slug, groups, now=now)
        )

    def change_purpose(
        self, slug: str, credential: str, purpose: str, *, on: bool, now: datetime
    ) -> StatusChange:
        """One entry of a VC API request: set or clear `revocation` or `suspension`.

        Raises:
            NoSuchCredential: this agency issued no such credential.
            StatusIsFinal: a revoked credential would become valid or suspended.
        """
        if on:
            wanted = Status.REVOKED if purpose == "revocation" else Status.SUSPENDED
            return self.change(slug, credential, wanted, reason=None, now=now)
        current = self._known(slug, credential)
        if purpose == "revocation" and current.status is Status.SUSPENDED:
            return self.change(slug, credential, Status.SUSPENDED, reason=None, now=now)
        return self.change(slug, credential, Status.VALID, reason=None, now=now)

    def revoke_all_of(
        self, slug: str, subject: str, *, reason: str, now: datetime
    ) -> list[StatusChange]:
        """Revoke everything this agency issued to a person, and end what it offered her.

        One transaction in the database, so nothing is half ended; then one publication of each list
        that it touched. Repeating it publishes what an outage held back, and changes nothing else.
        """
        return self.end_all_of(slug, subject, Status.REVOKED, types=None, reason=reason, now=now)

    def end_all_of(
        self,
        slug: str,
        subject: str,
        status: Status,
        *,
        types: Collection[str] | None,
        reason: str,
        now: datetime,
    ) -> list[StatusChange]:
        """Revoke or suspend what rests on a person's binding, and end her offers, in one action.

        Args:
            slug: the agency.
            subject: her subject at this agency.
            status: `REVOKED` or `SUSPENDED`.
            types: only credentials of these types; all when None.
            reason: a code for the record.
            now: current time.
        """
        self._parts.agency(slug)
        ended = self._parts.issuances.end_all_of(
            slug, subject, status, types=types, reason=reason, now=int(now.timestamp())
        )
        return self._told(slug, ended, status, now=now)

    def end_mandates_of(
        self,
        slug: str,
        principal: str,
        *,
        ends: Callable[[str, bool], bool],
        reason: str,
        now: datetime,
    ) -> list[StatusChange]:
        """Revoke mandates that let others act for `principal`; as `IssuanceStore` has it."""
        self._parts.agency(slug)
        ended = self._parts.issuances.end_mandates_of(
            slug, principal, ends=ends, reason=reason, now=int(now.timestamp())
        )
        return self._told(slug, ended, Status.REVOKED, now=now)

    def reinstate_all_of(
        self, slug: str, subject: str, *, reason: str, now: datetime
    ) -> list[StatusChange]:
        """Make valid again what was suspended for `reason`."""
        self._parts.agency(slug)
        back = self._parts.issuances.reinstate_all_of(
            slug, subject, reason=reason, now=int(now.timestamp())
        )
        return self._told(slug, back, Status.VALID, now=now)

    def _told(
        self, slug: str, ended: EndedRest, status: Status, *, now: datetime
    ) -> list[StatusChange]:
        published = self._publish(slug, list(ended.groups), now=now)
        return [
            StatusChange(issuance=issuance, status=status, published=published)
            for issuance in ended.issuances
        ]

    def _known(self, slug: str, credential: str) -> Issuance:
        self._parts.agency(slug)
        issuances = self._parts.issuances
        known = issuances.read_issuance(slug, credential)
        if known is None and (named := issuances.find_issuance(slug, credential)) is not None:
            known = issuances.read_issuance(slug, named)
        if known is None:
            raise NoSuchCredential("this agency issued no such credential")
        return known

    def _publish(self, slug: str, groups: list[str], *, now: datetime) -> bool:
        try:
            for group in groups:
                self._publisher.publish(slug, group, now=now)
        except Unavailable:
            return False  # the change is on disk; the worker brings it to the ledger
        return True


def _bits(entries: dict[int, Status], wanted: Status) -> bytes:
    set_bits = {index: 1 for index, status in entries.items() if status is wanted}
    return pack_bitstring(set_bits, size=STATUS_LIST_SIZE)
