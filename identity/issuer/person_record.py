"""My record: kept from what happens, anchored by its head, shown to whoever it is about.

She proves who she is with a copy of a credential of this agency and its key; no password, no
account. A revoked copy opens nothing, so a lost phone does not read on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from identity.core import jose, sd_jwt
from identity.core.credential_digest import anchor_claim, credential_digest
from identity.core.offers import secret_digest
from identity.core.parties import Agency
from identity.core.person_record import heads_uri, record_key
from identity.issuer.ledger_transactions import publish_status_transaction
from identity.issuer.parts import IssuerParts
from registry.core.encoding import JsonObject, canonical_json
from registry.core.keys import parse_jwk
from registry.core.refusals import Malformed, NotPermitted, Refusal, Unavailable
from registry.core.sparse_map import EMPTY, map_changes, map_proof_json, prove, update

GROUP = "record-heads"
PUBLISH_EVERY_SECONDS = 10  # one root a period at most, however much happens
MAX_AGE_SECONDS = 300


class RecordNotYours(NotPermitted):
    """What was presented proves nothing about a person of this agency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Somebody opened a person's row in the vault."""

    id: str
    time: int
    person: str
    actor: str
    purpose: str


class Looks(Protocol):
    """The audit of the vault, as far as people may see it."""

    def since(self, time: int) -> list[Look]:
        """Looks at or after `time`, oldest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A root of an agency's heads on its way to the ledger, or there."""

    version: int
    root: bytes
    transaction: bytes
    stored_at: int
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """The map of one publication: value by key; `done` when its root is on the ledger."""

    version: int
    done: bool
    values: dict[str, JsonObject]


# From version and map of heads to root and signed transaction.
Sign = Callable[[int, dict[str, JsonObject]], tuple[bytes, bytes]]


class RecordStore(Protocol):
    """Keeps entries and publications. What returns has written durably."""

    def take_note(self, agency: str, looks: Sequence[Look], *, now: int) -> int:
        """Add an entry for everything that happened and has none; how many were added."""
        ...

    def noted_until(self, agency: str) -> int:
        """Time up to which looks were noted; 0 at first."""
        ...

    def entries(self, subject: str, *, limit: int) -> list[JsonObject]:
        """A person's entries in their order."""
        ...

    def heads(self, agency: str) -> Heads:
        """The map of the newest publication."""
        ...

    def publication(self, agency: str) -> Publication | None:
        """The newest publication."""
        ...

    def prepare(self, agency: str, sign: Sign, *, now: int) -> bool:
        """Move every head on and store the next publication, in one transaction.

        Returns:
            False when nothing has changed, or another one is not done.
        """
        ...

    def finish(self, agency: str, version: int) -> None:
        """This publication is on the ledger. Safe to repeat."""
        ...

    def subject_of(self, agency: str, digest: bytes) -> str | None:
        """Whose valid copy has this anchor digest; None when there is none, or it is not valid."""
        ...


class RecordKeeper:
    """Takes note of what happens and brings the heads to the ledger; any number of processes."""

    def __init__(self, parts: IssuerParts, store: RecordStore, looks: Looks) -> None:
        self._parts = parts
        self._store = store
        self._looks = looks

    def run_once(self, now: int) -> None:
        """One round for every agency; an agency that fails does not keep the others waiting.

        Raises:
            Refusal: of the first agency that failed, after the others had their turn.
        """
        failed: Refusal | None = None
        for slug, agency in self._parts.agencies.items():
            try:
                # Clocks of instances differ; one that runs ahead must not hide what comes later.
                since = max(0, min(now, self._store.noted_until(slug)) - 600)
                self._store.take_note(slug, self._looks.since(since), now=now)
                self._publish(agency, now)
            except Refusal as refusal:
                failed = failed or refusal
        if failed is not None:
            raise failed

    def _publish(self, agency: Agency, now: int) -> None:
        newest = self._store.publication(agency.slug)
        if newest is None or newest.done:
            if newest is not None and now - newest.stored_at < PUBLISH_EVERY_SECONDS:
                return
            signed = partial(self._signed, agency)
            if not self._store.prepare(agency.slug, signed, now=now):
                return
            newest = self._store.publication(agency.slug)
        if newest is not None and not newest.done:
            self._parts.registry.submit(newest.transaction)
            self._store.finish(agency.slug, newest.version)

    def _signed(
        self, agency: Agency, version: int, heads: dict[str, JsonObject]
    ) -> tuple[bytes, bytes]:
        root, _ = _map(heads)
        transaction = publish_status_transaction(
            agency,
            network=self._parts.network,
            group=GROUP,
            version=version,
            lists={heads_uri(agency.issuer_url): root},
            random=self._parts.random,
        )
        return root, transaction


class OwnRecordDesk:
    """Shows a person her record, with the proof that leads to the ledger."""

    def __init__(self, parts: IssuerParts, store: RecordStore, *, limit: int) -> None:
        self._parts = parts
        self._store = store
        self._limit = limit
        self._maps: dict[str, tuple[int, dict[str, JsonObject], bytes, dict[bytes, bytes]]] = {}

    def read(self, slug: str, presentation: str, *, now: int) -> JsonObject:
        """The record of whoever presents a valid copy of a credential of this agency.

        1. The credential is one that this agency anchored: its digest, over all of its content,
           is on record; the copy is neither revoked nor suspended.
        2. The key that it is bound to signed for this agency and a nonce of ours, which is used up.

        Raises:
            RecordNotYours: any step fails; one text for all, so that nobody learns which copies
                there are.
            Unavailable: the database does not answer.
        """
        agency = self._parts.agency(slug)
        try:
            subject = self._proven(agency, presentation, now)
        except Unavailable:
            raise
        except Refusal as refusal:
            raise RecordNotYours("the presentation proves nothing about a person here") from refusal
        entries = self._store.entries(subject, limit=self._limit)
        answer: JsonObject = {"key": record_key(subject), "entries": entries, "anchored": None}
        done, values, root, nodes = self._newest(slug)
        anchored = values.get(record_key(subject))
        if anchored is not None and done:
            answer["anchored"] = {
                **anchored,
                "uri": heads_uri(agency.issuer_url),
                "proof": map_proof_json(prove(root, record_key(subject), nodes)),
            }
        return answer

    def _newest(self, slug: str) -> tuple[bool, dict[str, JsonObject], bytes, dict[bytes, bytes]]:
        """The newest publication; its map is made once for each version."""
        heads = self._store.heads(slug)
        known = self._maps.get(slug)
        if known is None or known[0] != heads.version:
            known = (heads.version, heads.values, *_map(heads.values))
            self._maps[slug] = known
        return heads.done, *known[1:]

    def _proven(self, agency: Agency, presentation: str, now: int) -> str:
        unverified = sd_jwt.parse_sd_jwt(presentation)
        if unverified.key_binding is None:
            raise Malformed("there is no key binding")
        payload = unverified.jws.claims
        digest = credential_digest(payload, anchor_claim(payload).salt)
        subject = self._store.subject_of(agency.slug, digest)  # 1
        if subject is None:
            raise RecordNotYours("no valid copy of this agency")
        confirmation = payload.get("cnf")
        if not isinstance(confirmation, dict):
            raise Malformed("the credential is bound to no key")
        nonce = jose.parse_compact(unverified.key_binding).claims.get("nonce")
        if not isinstance(nonce, str):
            raise Malformed("the key binding has no nonce")
        sd_jwt.verify_key_binding(  # 2
            unverified,
            holder_key=parse_jwk(confirmation.get("jwk")),
            audience=agency.issuer_url,
            nonce=nonce,
            now=now,
            max_age_seconds=MAX_AGE_SECONDS,
        )
        used = self._parts.offers.use_nonces(
            agency.slug, "c-nonce", {secret_digest("c-nonce", nonce)}, now=now
        )
        if not used:
            raise RecordNotYours("the nonce is not ours, or was used")
        return subject


def _map(heads: dict[str, JsonObject]) -> tuple[bytes, dict[bytes, bytes]]:
    """Root and nodes of the map of heads."""
    records = {key: canonical_json(value) for key, value in heads.items()}
    return update(EMPTY, map_changes(records), {})
