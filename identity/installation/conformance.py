"""The issuer instances that outside test suites are pointed at (contracts: VC API, section 2).

Their keys follow from a seed that stands in the configuration for everybody to read. They sign
whatever is well-formed, so nothing that they sign means anything; `identity.config` refuses them
outside the environment `conformance`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from identity.adapters.bbs_keys import BbsKey, bbs_key_from_seed
from identity.adapters.key_files import FileKey, key_from_seed, seed_bytes
from identity.config import AgencySettings, InstanceSettings, Settings
from identity.core.parties import Agency
from identity.core.signing import NamedSigner
from identity.installation.key_ring import KeyRing
from identity.installation.parties import AGENCY_KEYS, founded_did
from identity.issuer.vc_api import VcApiProfile
from registry.core.hashing import labelled_hash
from registry.core.keys import KeyType
from registry.core.refusals import Malformed

# The ledger takes status lists only from issuers accredited for something; the type itself is
# never issued by an instance.
_ACCREDITED_FOR = ("degree",)
_BBS = "BLS12-381"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance with its key."""

    settings: InstanceSettings
    signer: NamedSigner | BbsKey

    @property
    def did(self) -> str:
        """The issuer that credentials of this instance name."""
        return self.signer.key.did_key

    @property
    def profile(self) -> VcApiProfile:
        """How it signs."""
        return VcApiProfile(
            signer=self.signer,
            issuer=self.did,
            securing=self.settings.securing,
            add_status=self.settings.status,
        )


def open_instances(settings: Settings) -> tuple[Instance, ...]:
    """All instances that the configuration names; none outside conformance."""
    if settings.conformance is None:
        return ()
    seed = settings.conformance.public_seed
    return tuple(
        Instance(
            settings=instance,
            signer=_signer(seed, instance),
        )
        for instance in settings.conformance.instances
    )


def known_key(public_seed: str, slug: str, key_type: KeyType) -> FileKey:
    """The key that everybody can compute: the same on every start and every machine."""
    return key_from_seed(key_type, _material(public_seed, slug, key_type)[: seed_bytes(key_type)])


def known_bbs_key(public_seed: str, slug: str) -> BbsKey:
    """The same, for BBS."""
    return bbs_key_from_seed(_material(public_seed, slug, _BBS))


def status_agencies(settings: Settings) -> tuple[AgencySettings, ...]:
    """What has to be founded on the ledger, so that status lists can be published there."""
    if settings.conformance is None:
        return ()
    return tuple(
        AgencySettings(
            slug=instance.slug,
            name={"en": f"Conformance: {instance.slug}"},
            types=_ACCREDITED_FOR,
            open=True,
        )
        for instance in settings.conformance.instances
        if instance.status
    )


def open_status_agencies(
    ring: KeyRing, settings: Settings, instances: Sequence[Instance]
) -> tuple[Agency, ...]:
    """The instances that keep status lists, as agencies that issue no credential type.

    Their lists are signed by the same did:key as their credentials, and published on the ledger
    by a DID of their own.

    Raises:
        NotFounded: one of them is not on the ledger yet.
    """
    return tuple(
        _agency(ring, settings, instance) for instance in instances if instance.settings.status
    )


def _agency(ring: KeyRing, settings: Settings, instance: Instance) -> Agency:
    slug = instance.settings.slug
    if isinstance(instance.signer, BbsKey):
        raise Malformed("an instance that keeps status lists cannot sign with BBS")
    keys = ring.open(f"issuer-{slug}", AGENCY_KEYS)
    return Agency(
        slug=slug,
        name={"en": f"Conformance: {slug}"},
        did=instance.did,
        issuer_url=f"{settings.server.public_base_url}/issuers/{slug}",
        credential_types=(),
        ledger=NamedSigner(keys["ledger"], f"{founded_did(ring, f'issuer:{slug}')}#ledger-1"),
        data_integrity=instance.signer,
        jose=_named(keys["jose"]),
    )


def _signer(public_seed: str, instance: InstanceSettings) -> NamedSigner | BbsKey:
    if instance.key == _BBS:
        return known_bbs_key(public_seed, instance.slug)
    return _named(known_key(public_seed, instance.slug, KeyType(instance.key)))


def _material(public_seed: str, slug: str, key_type: str) -> bytes:
    return b"".join(
        labelled_hash(
            "cairn/conformance-key/v1", public_seed.encode(), f"{slug} {key_type} {part}".encode()
        )
        for part in (1, 2)
    )


def _named(key: FileKey) -> NamedSigner:
    """A did:key has one verification method, named by the key itself."""
    return NamedSigner(key, f"{key.key.did_key}#{key.key.multikey}")
