"""Puts onto the ledger what the configuration says: DIDs, schemas, accreditations, registrations.

Every step can be repeated: nonces and identifiers follow from keys and content, so a start that
was interrupted submits the same transactions again, which changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from identity.config import AgencySettings, VerifierSettings
from identity.core.credential_types import Catalogue, CredentialType
from identity.core.signing import NamedSigner, PrivateKey
from registry.core.accreditation import accreditation_id
from registry.core.accreditation_actions import Accredit
from registry.core.did import DidDetails, VerificationMethod
from registry.core.did_actions import CreateDid
from registry.core.encoding import canonical_json
from registry.core.hashing import labelled_hash, sha256
from registry.core.refusals import Conflict
from registry.core.relying_party import (
    AskedClaims,
    RegisteredPurpose,
    RegisterRelyingParty,
    RelyingParty,
)
from registry.core.schemas import PublishSchema, SchemaRecord
from registry.core.transactions import (
    Action,
    Payload,
    Signature,
    derive_did,
    encode_signed,
    signing_message,
)


class FoundedElsewhere(Conflict):
    """The ledger holds another version of what the configuration says."""


class FoundingRegistry(Protocol):
    """The ledger as founding sees it; `registry.client.RegistryClient` keeps this promise."""

    def submit(self, raw: bytes) -> object:
        """Submit a signed transaction; final when this returns, and safe to repeat."""
        ...

    def schema(self, name: str, version: str) -> SchemaRecord | None:
        """The published schema, proven, or None when its absence is proven."""
        ...

    def relying_party(self, did: str) -> RelyingParty | None:
        """The registration, proven, or None when its absence is proven."""
        ...


@dataclass(frozen=True, slots=True)
class Method:
    """A key of a new DID, under a fragment, for one purpose."""

    fragment: str
    private: PrivateKey
    purpose: str


class Founder:
    """Submits as a root member of the network and for the institutions themselves."""

    def __init__(self, registry: FoundingRegistry, *, network: str, root: NamedSigner) -> None:
        """
        Args:
            registry: where to submit.
            network: name of the network.
            root: governance key of a root member, under its verification method.
        """
        self._registry = registry
        self._network = network
        self._root = root

    def create_did(self, methods: Sequence[Method], *, also_known_as: Sequence[str]) -> str:
        """Create the DID of an institution; every key proves that it is held.

        Returns:
            The DID, the same for the same keys and names.
        """
        details = DidDetails(
            verification_methods=tuple(
                VerificationMethod(fragment=m.fragment, key=m.private.key, purpose=m.purpose)
                for m in methods
            ),
            also_known_as=tuple(also_known_as),
        )
        keys = b"".join(method.private.key.data for method in methods)
        payload = Payload(
            network=self._network,
            author="",
            nonce=labelled_hash("cairn/founding-nonce/v1", keys)[:16],
            action=CreateDid(details=details),
        )
        message = signing_message(payload)
        signatures = [
            Signature(key=f"#{method.fragment}", value=method.private.sign(message))
            for method in methods
        ]
        self._registry.submit(encode_signed(payload, signatures))
        return derive_did(payload)

    def publish_schemas(self, catalogue: Catalogue) -> None:
        """Publish the schema of every credential type that is not on the ledger yet.

        Raises:
            FoundedElsewhere: another schema stands under the same name and version.
        """
        for kind in catalogue:
            known = self._registry.schema(kind.name, kind.version)
            if known is None:
                self._submit(
                    PublishSchema(name=kind.name, version=kind.version, schema=kind.schema)
                )
            elif known.digest != schema_digest(kind):
                raise FoundedElsewhere(
                    f"schema {kind.name}/{kind.version} on the ledger is another one; was this "
                    "ledger founded under another public_base_url?"
                )

    def accredit(self, did: str, settings: AgencySettings) -> None:
        """Accredit an agency as issuer of its credential types, without end."""
        types = tuple(sorted(settings.types))
        seed = labelled_hash("cairn/founding-accreditation/v1", did.encode(), canonical_json(types))
        self._submit(
            Accredit(
                accreditation=accreditation_id(seed[:16]),
                subject=did,
                role="issuer",
                types=types,
                until_height=None,
            )
        )

    def register(self, did: str, settings: VerifierSettings) -> None:
        """Register a relying party with its purposes; a change becomes the next version."""
        purposes = tuple(
            RegisteredPurpose(
                purpose=purpose.code,
                description=dict(purpose.description),
                credentials=tuple(
                    AskedClaims(type=asked.type, claims=asked.claims)
                    for asked in purpose.credentials
                ),
                pseudonym=purpose.pseudonym,
            )
            for purpose in settings.purposes
        )
        known = self._registry.relying_party(did)
        name = settings.name.get("en") or next(iter(settings.name.values()))
        if known is not None and (known.name, known.purposes) == (name, purposes):
            return
        if known is None and not purposes:
            return
        self._submit(
            RegisterRelyingParty(
                party=did,
                name=name,
                purposes=purposes,
                version=1 if known is None else known.version + 1,
            )
        )

    def _submit(self, action: Action) -> None:
        author, _, _ = self._root.verification_method.partition("#")
        body = canonical_json({"action": action.NAME, "body": action.to_body()})
        payload = Payload(
            network=self._network,
            author=author,
            nonce=labelled_hash("cairn/founding-nonce/v1", body)[:16],
            action=action,
        )
        signature = Signature(
            key=self._root.verification_method, value=self._root.sign(signing_message(payload))
        )
        self._registry.submit(encode_signed(payload, [signature]))


def schema_digest(kind: CredentialType) -> bytes:
    """Digest of a schema as the ledger records it: SHA-256 of its canonical JSON."""
    return sha256(canonical_json(kind.schema))
