"""What the verifier needs from elsewhere, with the promises it relies on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from identity.core.presentation_request import ProvenRegistration
from identity.core.pseudonym import Wish
from registry.core.accreditation import Accreditation
from registry.core.anchors import BatchRecord
from registry.core.compromise import CompromisedKeys
from registry.core.did_record import DidRecord
from registry.core.refusals import Conflict
from registry.core.sparse_map import MapProof
from registry.core.status import StatusRecord


class OlderThanSeen(Conflict):
    """A version older than one already seen: from a node or a backup that is behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenBatch:
    """A batch record with its proof under a verified head."""

    record: BatchRecord
    proof: MapProof
    head: str  # checkpoint text


class Registry(Protocol):
    """The ledger as the verifier reads it; every answer was proven, presence and absence alike.

    Every keeper of this port promises:

    - An answer is no older than a few seconds, and heads never go back.
    - What cannot be proven raises `Unavailable`; None means that absence was proven.
    """

    def did(self, did: str) -> DidRecord | None:
        """The newest version of a DID."""
        ...

    def did_version(self, did: str, version: int) -> DidRecord | None:
        """One version of a DID."""
        ...

    def accreditations(self, subject: str) -> Sequence[Accreditation]:
        """Every accreditation of a subject."""
        ...

    def accreditation(self, accreditation_id: str) -> Accreditation | None:
        """One accreditation."""
        ...

    def schema_digest(self, name: str, version: str) -> bytes | None:
        """SHA-256 of the canonical JSON of a published schema."""
        ...

    def status_list(self, uri: str, *, fresh: bool) -> StatusRecord | None:
        """The newest record of a status list; `fresh` reads past every cache."""
        ...

    def batch(self, issuer: str, batch: str) -> ProvenBatch | None:
        """An anchored batch."""
        ...

    def relying_party(self, did: str) -> ProvenRegistration | None:
        """A registered relying party, with the proof that others can check."""
        ...

    def compromised_keys(self, did: str) -> CompromisedKeys | None:
        """Keys of a DID that were declared stolen."""
        ...

    def height(self) -> int:
        """Height of the newest verified head."""
        ...


class StatusLists(Protocol):
    """Fetches published status lists, from allowed places only."""

    def fetch(self, uri: str, *, accept: str, version_key: bytes) -> bytes:
        """The body at `uri`, at most 15 s old.

        Args:
            accept: media type asked for.
            version_key: digest that the ledger names; a body cached under another is not used.

        Raises:
            NotPermitted: the place is not allowed.
            Unavailable: it does not answer in time, or answers too much.
        """
        ...

    def forget(self, uri: str, *, version_key: bytes) -> None:
        """Drop a cached body that is not what the ledger names."""
        ...


class WebNames(Protocol):
    """Leads from a `did:web` to the ledger; only the two together bind."""

    def ledger_dids(self, did: str) -> Sequence[str]:
        """The DIDs of the ledger that the document of this `did:web` calls its own.

        Raises:
            NotPermitted: the place is not allowed.
            Unavailable: it does not answer, or not with a DID document.
        """
        ...


class Batches(Protocol):
    """Fetches the digests of a whole batch, so that nobody learns which one mattered."""

    def digests(self, issuer_url: str, batch: str) -> Sequence[bytes]:
        """The digests of an anchored batch in their order, 32 bytes each.

        Raises:
            NotPermitted: the place is not allowed.
            Unavailable: it does not answer, or not with a batch.
        """
        ...


class SeenVersions(Protocol):
    """Remembers the newest version of each status list, for all instances and over restarts."""

    def remember(self, uri: str, version: int) -> None:
        """Note `version`.

        Raises:
            OlderThanSeen: a newer one was seen before.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """A presentation request as it is kept; the answer is sealed to whoever asked.

    Args:
        party: slug of the relying party.
        query: DCQL as JSON text.
        state: value of the parameter `state`.
        status: `pending`, `answered` or `declined`.
        secret_digest: digest of the result secret, 32 bytes.
        result_key: public key that the result is sealed to, 32 bytes.
        answer_key: private key for an encrypted answer; empty when it comes in plain form.
        sealed: the sealed verdict, once there is one.
        client_id: the name that was asked under, with its prefix: the audience of the answer.
        delivery: `uri`, `value` or `query`.
        return_to: the page of the relying party that the wallet sends the browser back to, in the
            same device; empty across devices.
        response_code: digest of the code that came back with the browser, once there is one.
        pseudonym: whether one was asked for; never the pseudonym itself.
        expires_at: unix seconds; later answers are refused.
    """

    request: str
    party: str
    purpose: str
    query: str
    nonce: str
    state: str
    status: str
    secret_digest: bytes
    result_key: bytes
    answer_key: bytes
    sealed: bytes | None
    client_id: str
    delivery: str
    return_to: str
    response_code: bytes
    pseudonym: Wish
    created_at: int
    expires_at: int


class RequestStore(Protocol):
    """Keeps presentation requests, for any number of instances.

    - `answer` succeeds at most once for a request, and never after its expiry.
    - The answer key is gone with the answer.
    - Sealed results are gone for good after `delete_after`.
    """

    def add(self, request: StoredRequest, *, delete_after: int) -> None:
        """Keep a new request."""
        ...

    def read(self, request: str, *, party: str) -> StoredRequest | None:
        """The request of this party, or None."""
        ...

    def answer(
        self,
        request: str,
        *,
        status: str,
        sealed: bytes,
        response_code: bytes,
        now: int,
        delete_after: int,
    ) -> bool:
        """Store the one answer; False when there is one already, or it came too late."""
        ...

    def delete_soon(self, request: str, *, delete_after: int) -> None:
        """Bring the deletion of a fetched result forward."""
        ...

    def purge(self, *, now: int) -> int:
        """Delete what is due; returns how many."""
        ...
