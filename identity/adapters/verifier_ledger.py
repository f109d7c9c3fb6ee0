"""The registry client under the names that the verifier's port has."""

from collections.abc import Sequence

from identity.core.presentation_request import ProvenRegistration
from identity.verifier.ports import ProvenBatch
from registry.client import RegistryClient
from registry.core.accreditation import Accreditation
from registry.core.compromise import CompromisedKeys
from registry.core.did_record import DidRecord
from registry.core.status import StatusRecord


class VerifierLedger:
    """Keeps the promises of `identity.verifier.ports.Registry` by asking a `RegistryClient`."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    def did(self, did: str) -> DidRecord | None:
        """The newest version of a DID."""
        return self._client.did_record(did)

    def did_version(self, did: str, version: int) -> DidRecord | None:
        """One version of a DID."""
        return self._client.did_version(did, version)

    def accreditations(self, subject: str) -> Sequence[Accreditation]:
        """Every accreditation of a subject."""
        return self._client.accreditations(subject)

    def accreditation(self, accreditation_id: str) -> Accreditation | None:
        """One accreditation."""
        return self._client.accreditation(accreditation_id)

    def schema_digest(self, name: str, version: str) -> bytes | None:
        """SHA-256 of the canonical JSON of a published schema."""
        record = self._client.schema(name, version)
        return None if record is None else record.digest

    def status_list(self, uri: str, *, fresh: bool) -> StatusRecord | None:
        """The newest record of a status list."""
        return self._client.status_list(uri, fresh=fresh)

    def batch(self, issuer: str, batch: str) -> ProvenBatch | None:
        """An anchored batch."""
        found = self._client.batch(issuer, batch)
        if found is None:
            return None
        return ProvenBatch(record=found.record, proof=found.proof, head=found.head)

    def relying_party(self, did: str) -> ProvenRegistration | None:
        """A registered relying party, with its proof."""
        found = self._client.relying_party_proof(did)
        if found is None:
            return None
        return ProvenRegistration(record=found.record, proof=found.proof, head=found.head)

    def compromised_keys(self, did: str) -> CompromisedKeys | None:
        """Keys of a DID that were declared stolen."""
        return self._client.compromised_keys(did)

    def height(self) -> int:
        """Height of the newest verified head."""
        return self._client.height()
