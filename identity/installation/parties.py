"""Opens the key files of an installation and makes its institutions from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from identity.config import AgencySettings, LedgerSettings, Settings, VerifierSettings
from identity.core.credential_types import Catalogue
from identity.core.parties import Agency, AskedCredential, Purpose, RelyingParty
from identity.core.signing import NamedSigner, PrivateKey
from identity.installation.folder import founded_dids, read_document, write_document
from identity.installation.founding import Founder, FoundingRegistry, Method
from identity.installation.key_ring import KeyRing
from identity.installation.key_rotation import jose_signers, withdrawn_methods
from registry.core.any_trust_anchor import (
    AnyTrustAnchor,
    parse_trust_anchor,
    trust_anchor_json,
)
from registry.core.cosignature import Witnesses, parse_witness_key
from registry.core.did_web import web_did
from registry.core.genesis import Genesis, GenesisMember, genesis_member, parse_genesis
from registry.core.keys import KeyType, PublicKey
from registry.core.refusals import Conflict, NotFound
from registry.core.signed_note import VerifierKey
from registry.core.trust_anchor import TrustAnchor

OPERATOR_KEYS = {"head": KeyType.ED25519}
ROOT_KEYS = {"governance": KeyType.ED25519}
AGENCY_KEYS = {
    "ledger": KeyType.ED25519,
    "data-integrity": KeyType.ED25519,
    "jose": KeyType.P256,
}
VERIFIER_KEYS = {"ledger": KeyType.ED25519, "request": KeyType.P256}


class NotFounded(NotFound):
    """The institution has no DID on the ledger yet; whoever holds the root key must found it."""


@dataclass(frozen=True, slots=True)
class HeadKey:
    """The operator's key that signs heads, under the name that readers pin."""

    name: str
    private: PrivateKey

    @property
    def key(self) -> PublicKey:
        """The public half."""
        return self.private.key

    def sign(self, message: bytes) -> bytes:
        """Sign the text of a head."""
        return self.private.sign(message)


def open_head_key(ring: KeyRing, settings: Settings) -> HeadKey:
    """The key of the embedded ledger's operator."""
    return HeadKey(f"cairn/{settings.ledger.network}", ring.open("operator", OPERATOR_KEYS)["head"])


def open_genesis(ring: KeyRing, settings: Settings, *, now: Callable[[], int]) -> Genesis:
    """The genesis of the network: read, or made on the first start with one root member.

    Raises:
        Conflict: the folder was founded for another network.
    """
    document = read_document(ring.folder.genesis)
    if document is None:
        member = _root_member(ring, settings)
        made = Genesis(network=settings.ledger.network, members=(member,), created=now())
        write_document(ring.folder.genesis, made.to_object())
        return made
    genesis = parse_genesis(document)
    if genesis.network != settings.ledger.network:
        raise Conflict(f"this data folder belongs to the network {genesis.network}")
    return genesis


def open_trust_anchor(ring: KeyRing, settings: Settings, genesis: Genesis) -> AnyTrustAnchor:
    """What this installation pins; written for others to copy."""
    if settings.ledger.trust_anchor is not None:
        return read_trust_anchor(settings.ledger.trust_anchor)
    head = open_head_key(ring, settings)
    anchor = TrustAnchor(
        network=genesis.network,
        head_keys=(VerifierKey(head.name, head.key),),
        threshold=1,
        roots=tuple(member.did for member in genesis.members),
        witnesses=_witnesses(settings.ledger),
    )
    write_document(ring.folder.trust_anchor, trust_anchor_json(anchor))
    return anchor


def publish_trust_anchor(ring: KeyRing, anchor: AnyTrustAnchor) -> None:
    """Lay a copy of what is pinned where commands look for it, unless one lies there."""
    if read_document(ring.folder.trust_anchor) is None:
        write_document(ring.folder.trust_anchor, trust_anchor_json(anchor))


def _witnesses(settings: LedgerSettings) -> Witnesses | None:
    if not settings.witnesses:
        return None
    keys = tuple(parse_witness_key(witness.key) for witness in settings.witnesses)
    return Witnesses(keys, settings.witness_threshold or len(keys) // 2 + 1)


def read_trust_anchor(path: Path) -> AnyTrustAnchor:
    """A pinned trust anchor from its file.

    Raises:
        NotFound: there is no such file.
        Malformed: it holds something else.
    """
    document = read_document(path)
    if document is None:
        raise NotFound("ledger.trust_anchor: there is no such file")
    return parse_trust_anchor(document)


def may_found(ring: KeyRing) -> bool:
    """Whether this data folder holds the root member's key, and the genesis that names it."""
    return ring.holds("root") and ring.folder.genesis.exists()


def open_root_member(ring: KeyRing, genesis: Genesis) -> NamedSigner:
    """The governance key of the only member of the genesis."""
    governance = ring.open("root", ROOT_KEYS)["governance"]
    return NamedSigner(governance, f"{genesis.members[0].did}#governance-1")


def found(
    ring: KeyRing,
    settings: Settings,
    *,
    network: str,
    root: NamedSigner,
    registry: FoundingRegistry,
    catalogue: Catalogue,
    more_agencies: Sequence[AgencySettings] = (),
) -> None:
    """Put schemas, institutions, accreditations and registrations on the ledger, where missing.

    Args:
        root: who may accredit, publish and register: the only member, or an office of several.
        more_agencies: founded like those of the settings.
    """
    founder = Founder(registry, network=network, root=root)
    founder.publish_schemas(catalogue)
    dids = founded_dids(read_document(ring.folder.parties))
    for agency in (*settings.agencies, *more_agencies):
        scope = f"issuer:{agency.slug}"
        if scope not in dids:
            keys = ring.open(f"issuer-{agency.slug}", AGENCY_KEYS)
            methods = [
                Method("ledger-1", keys["ledger"], "capabilityInvocation"),
                Method("di-1", keys["data-integrity"], "assertionMethod"),
                Method("jose-1", keys["jose"], "assertionMethod"),
            ]
            # The address serves the same keys as a did:web; each of the two names the other.
            issuer_url = _issuer_url(settings, agency)
            web_name = web_did(issuer_url)
            also_known_as = (issuer_url,) if web_name is None else (issuer_url, web_name)
            dids[scope] = founder.create_did(methods, also_known_as=also_known_as)
        founder.accredit(dids[scope], agency)
    for verifier in settings.verifiers:
        scope = f"verifier:{verifier.slug}"
        if scope not in dids:
            keys = ring.open(f"verifier-{verifier.slug}", VERIFIER_KEYS)
            methods = [
                Method("ledger-1", keys["ledger"], "capabilityInvocation"),
                Method("request-1", keys["request"], "authentication"),
            ]
            verifier_url = _verifier_url(settings, verifier)
            web_name = web_did(verifier_url)
            names = (verifier_url,) if web_name is None else (verifier_url, web_name)
            dids[scope] = founder.create_did(methods, also_known_as=names)
        founder.register(dids[scope], verifier)
    write_document(ring.folder.parties, dids)


def open_agencies(ring: KeyRing, settings: Settings) -> tuple[Agency, ...]:
    """The agencies of this installation with their keys.

    Raises:
        NotFounded: one of them has no DID yet.
    """
    return tuple(_agency(ring, settings, agency) for agency in settings.agencies)


def open_relying_parties(ring: KeyRing, settings: Settings) -> tuple[RelyingParty, ...]:
    """The relying parties of this installation with their keys.

    Raises:
        NotFounded: one of them has no DID yet.
    """
    return tuple(_relying_party(ring, settings, verifier) for verifier in settings.verifiers)


def _agency(ring: KeyRing, settings: Settings, agency: AgencySettings) -> Agency:
    did = founded_did(ring, f"issuer:{agency.slug}")
    keys = ring.open(f"issuer-{agency.slug}", AGENCY_KEYS)
    newest, *earlier = jose_signers(ring, agency.slug, did, first=keys["jose"])
    return Agency(
        slug=agency.slug,
        name=dict(agency.name),
        did=did,
        issuer_url=_issuer_url(settings, agency),
        credential_types=agency.types,
        ledger=NamedSigner(keys["ledger"], f"{did}#ledger-1"),
        data_integrity=NamedSigner(keys["data-integrity"], f"{did}#di-1"),
        jose=newest,
        earlier_jose=tuple(earlier),
        withdrawn=withdrawn_methods(ring.folder, agency.slug, did),
    )


def _relying_party(ring: KeyRing, settings: Settings, verifier: VerifierSettings) -> RelyingParty:
    did = founded_did(ring, f"verifier:{verifier.slug}")
    keys = ring.open(f"verifier-{verifier.slug}", VERIFIER_KEYS)
    return RelyingParty(
        slug=verifier.slug,
        name=dict(verifier.name),
        did=did,
        verifier_url=_verifier_url(settings, verifier),
        request=NamedSigner(keys["request"], f"{did}#request-1"),
        haip=verifier.haip,
        purposes=tuple(
            Purpose(
                code=purpose.code,
                description=dict(purpose.description),
                credentials=tuple(
                    AskedCredential(type=asked.type, claims=asked.claims)
                    for asked in purpose.credentials
                ),
                require=dict(purpose.require),
                pseudonym=purpose.pseudonym,
            )
            for purpose in verifier.purposes
        ),
    )


def founded_did(ring: KeyRing, scope: str) -> str:
    """The DID on the ledger of `issuer:<slug>` or `verifier:<slug>`.

    Raises:
        NotFounded: it has none yet.
    """
    did = founded_dids(read_document(ring.folder.parties)).get(scope)
    if did is None:
        raise NotFounded(f"{scope} is not on the ledger yet")
    return did


def _root_member(ring: KeyRing, settings: Settings) -> GenesisMember:
    governance = ring.open("root", ROOT_KEYS)["governance"]
    return genesis_member(
        network=settings.ledger.network, name="Founding member", keys=[governance.key]
    )


def _issuer_url(settings: Settings, agency: AgencySettings) -> str:
    return f"{settings.server.public_base_url}/issuers/{agency.slug}"


def _verifier_url(settings: Settings, verifier: VerifierSettings) -> str:
    return f"{settings.server.public_base_url}/verifiers/{verifier.slug}"
