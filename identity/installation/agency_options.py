"""What each agency demands beyond the default, from its settings and its key file."""

from collections.abc import Mapping

from identity.adapters.key_files import P256FileKey
from identity.config import AgencySettings, AttestationSettings, Settings, WalletSettings
from identity.core.attesters import Attesters
from identity.core.certificates import read_pem_chain
from identity.core.client_attestation import ClientTrust
from identity.core.jwe import DecryptionKey
from identity.core.key_attestation import AttestationDemand
from identity.installation.key_ring import KeyRing
from identity.issuer.parts import AgencyOptions
from registry.core.keys import KeyType, parse_multikey
from registry.core.refusals import Malformed, NotFound

MESSAGE_KEYS = {"credential-requests": KeyType.P256}


def open_options(ring: KeyRing, settings: Settings) -> Mapping[str, AgencyOptions]:
    """The options of every agency, by slug.

    Raises:
        NotFound, Malformed: the attestation settings name no file, or no key.
    """
    return {agency.slug: _options(ring, agency) for agency in settings.agencies}


def _options(ring: KeyRing, agency: AgencySettings) -> AgencyOptions:
    # In a file of its own: this key agrees on secrets, those of the agency sign.
    key = ring.open(f"messages-{agency.slug}", MESSAGE_KEYS)["credential-requests"]
    assert isinstance(key, P256FileKey)
    attestation = agency.attestation
    demand = None if attestation is None else _demand(attestation)
    return AgencyOptions(
        dpop_required=agency.dpop == "required",
        attestations={}
        if attestation is None or demand is None
        else dict.fromkeys(attestation.types, demand),
        request_key=DecryptionKey(key.private),
        logo=agency.logo,
        clients=None
        if agency.wallets is None
        else ClientTrust(_attesters(agency.wallets, "wallets"), agency.wallets.required),
    )


def _demand(settings: AttestationSettings) -> AttestationDemand:
    trusted = _attesters(settings, "attestation")
    return AttestationDemand(
        trusted_keys=trusted.keys,
        trusted_roots=trusted.roots,
        key_storage=settings.key_storage,
        user_authentication=settings.user_authentication,
    )


def _attesters(settings: AttestationSettings | WalletSettings, name: str) -> Attesters:
    roots: tuple[bytes, ...] = ()
    if settings.trusted_roots is not None:
        if not settings.trusted_roots.is_file():
            raise NotFound(f"{name}: there is no file {settings.trusted_roots.name}")
        roots = read_pem_chain(settings.trusted_roots.read_bytes())
    if not roots and not settings.trusted_keys:
        raise Malformed(f"{name}: nobody is trusted to attest, so nothing could be issued")
    return Attesters(tuple(parse_multikey(text) for text in settings.trusted_keys), roots)
