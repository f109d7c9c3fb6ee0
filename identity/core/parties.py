"""The institutions that an installation serves: issuing agencies and relying parties."""

from collections.abc import Mapping
from dataclasses import dataclass

from identity.core.certificates import NO_CERTIFICATES, CertificateChain
from identity.core.signing import Signer
from registry.core.did_web import web_did
from registry.core.refusals import Unavailable


class KeyNotHere(Unavailable):
    """A list is signed by the key of its credentials, and by no other; another instance has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """An issuing agency. Each key has one purpose.

    `name` maps a language tag to text. `issuer_url` is the credential issuer identifier, without a
    trailing slash. `credential_types` are names from the catalogue (`resident-identity`).
    """

    slug: str
    name: Mapping[str, str]
    did: str
    issuer_url: str
    credential_types: tuple[str, ...]
    ledger: Signer  # Ed25519, capabilityInvocation: transactions on the ledger
    data_integrity: Signer  # Ed25519, assertionMethod: Data Integrity proofs
    jose: Signer  # P-256, assertionMethod: SD-JWT VC, and the status tokens beside them
    certificates: CertificateChain = NO_CERTIFICATES  # for the key of `jose`
    earlier_jose: tuple[Signer, ...] = ()  # replaced keys, the newest first; for status tokens only
    withdrawn: frozenset[str] = frozenset()  # methods of JOSE keys that nobody is told of any more

    def signer_of(self, method: str) -> Signer:
        """The JOSE key of that verification method; of the empty one, the first.

        Raises:
            KeyNotHere: this process does not have it.
        """
        known = (self.jose, *self.earlier_jose)
        if not method:  # of a list that is older than the first rotation could be
            return known[-1]
        for signer in known:
            if signer.verification_method == method:
                return signer
        raise KeyNotHere("this process was started before the key of this list was brought in")

    @property
    def web_did(self) -> str | None:
        """The did:web of the same keys, for readers that know no ledger; None on plain http."""
        return web_did(self.issuer_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCredential:
    """What one purpose may ask of one credential type: paths of claims."""

    type: str
    claims: tuple[tuple[str | int | None, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """A reason to ask, as registered on the ledger.

    `code` names it in requests; `description` maps a language tag to the sentence that the citizen
    reads. `require` lists claims whose value decides (`{"age_over_18": true}`).
    """

    code: str
    description: Mapping[str, str]
    credentials: tuple[AskedCredential, ...]
    require: Mapping[str, str | int | bool]
    pseudonym: bool = False  # whether it may ask to know the same wallet again


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """An institution that asks citizens to show something.

    With `haip` it asks by the High Assurance Interoperability Profile and by nothing else.
    """

    slug: str
    name: Mapping[str, str]
    did: str
    verifier_url: str
    request: Signer  # P-256, authentication: presentation requests
    purposes: tuple[Purpose, ...]
    certificates: CertificateChain = NO_CERTIFICATES  # for the key of `request`
    haip: bool = False
