"""Everything that a verdict about one credential depends on, gathered before the first check."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from identity.core.credential_types import Catalogue
from identity.core.dcql import CredentialQuery
from identity.core.jsonld import ContextStore
from identity.core.verification.did_documents import IssuerDocument
from identity.core.verification.failure import CheckFailed
from identity.core.verification.policy import Policy
from identity.core.verification.presented import Hints, Unverified
from identity.core.verification.proof import Proven
from identity.core.verification.verdict import PROOF_FAILED
from registry.core.accreditation import Accreditation
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.encoding import JsonObject
from registry.core.receipt import AnchorReceipt
from registry.core.refusals import Refusal

_NOT_READ = CheckFailed("compromise_not_read", "nobody asked whether the key was stolen")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the verifier knows before anyone shows it anything.

    Args:
        schemas: of others, by the `id` that a `credentialSchema` has; our own are in the catalogue.
        certificate_roots: DER of roots whose chains count for `trusted_authorities` in DCQL; they
            accredit nobody.
    """

    contexts: ContextStore
    catalogue: Catalogue
    trust: AnyTrustAnchor
    schemas: Mapping[str, JsonObject] = field(default_factory=dict)
    certificate_roots: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEvidence:
    """One status list: what the ledger says about it, and the list itself.

    Args:
        issuer: DID that published it, as the ledger proves.
        digest: SHA-256 of the uncompressed list, as the ledger proves; 32 bytes.
        version: number of the publication, from 1.
        body: the list as fetched, or why it could not be.
    """

    issuer: str
    digest: bytes
    version: int
    body: bytes | Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class OffLedgerStatus:
    """A status list that no ledger knows; only a policy that says so may go by it."""

    body: bytes | Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class AccreditationEvidence:
    """The issuer's accreditations and those above them, as the ledger proves them now.

    Each record holds its whole history, so it answers for any height.

    Args:
        own: accreditations of the issuer.
        above: those they were granted under, up to the roots, by id.
        newest_height: of the head they were proved under.
    """

    own: tuple[Accreditation, ...]
    above: Mapping[str, Accreditation]
    newest_height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the service read for one credential. Each part is a value, or the reason it is missing.

    Args:
        documents: versions of the issuer's DID: those around the time of issuing, and today's.
        accreditation: of the issuer, with the chain above.
        schema_digest: of the credential type's JSON Schema on the ledger; 32 bytes.
        statuses: by URI of the list.
        receipt: stapled, or built from the issuer's public batch.
        compromised: keys of the issuer that the ledger declares stolen, by name of the method, and
            from which height on; nobody who did not read them says that there are none.
    """

    documents: tuple[IssuerDocument, ...] | Refusal
    accreditation: AccreditationEvidence | Refusal
    schema_digest: bytes | Refusal
    statuses: Mapping[str, StatusEvidence | OffLedgerStatus | Refusal]
    receipt: AnchorReceipt | Refusal
    compromised: Mapping[str, int] | Refusal = _NOT_READ


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyCredential:
    """Nothing particular was asked: a system wants to know whether a credential holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What this presentation is an answer to.

    Args:
        query: what was asked.
        require: claims whose value decides, by name; each must be among those that were asked.
        binding: `audience` and `nonce` that the holder must have signed for.
        haip: the credential must be as the High Assurance profile wants it.
    """

    query: CredentialQuery | AnyCredential
    require: Mapping[str, str | int | bool]
    binding: Mapping[str, str]
    haip: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One credential, what it is judged by, and what is known about it.

    `proven` is the credential once its proof has verified, or why it has not.
    """

    unverified: Unverified
    hints: Hints
    proven: Proven | Refusal
    evidence: Evidence
    expectation: Expectation
    policy: Policy
    world: World
    now: datetime  # aware, UTC

    @property
    def now_seconds(self) -> int:
        """Unix seconds."""
        return int(self.now.timestamp())

    @property
    def credential(self) -> Proven:
        """The credential, for every check that speaks about its content.

        Raises:
            CheckFailed: its proof did not verify, so there is nothing to speak about.
        """
        if isinstance(self.proven, Refusal):
            raise CheckFailed(PROOF_FAILED, "not looked at, because the proof does not hold")
        return self.proven
