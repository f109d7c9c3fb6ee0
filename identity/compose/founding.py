"""What must stand on the ledger before an agency can issue, and who puts it there."""

from contextlib import suppress

from identity.compose.site import Site
from identity.consortium import OFFICE_KEYS, Assembly, open_local_members
from identity.core.signing import NamedSigner
from identity.installation import conformance, parties
from registry.client import RegistryClient
from registry.consortium.local_network import LocalNetwork
from registry.core.refusals import Unavailable


def found(site: Site, registry: RegistryClient) -> None:
    """Put on the ledger what is missing there; the folder holds the root member's key."""
    away = () if site.serves("registry") else (Unavailable,)
    with suppress(*away):  # a start while the ledger is away goes on with what was founded
        parties.found(
            site.ring,
            site.settings,
            network=site.settings.ledger.network,
            root=root_signer(site, registry),
            registry=registry,
            catalogue=site.catalogue,
            more_agencies=conformance.status_agencies(site.settings),
        )


def is_founder(site: Site) -> bool:
    """Whether keys that may found lie here: the root member's, or a local network's."""
    return site.settings.ledger.local_network is not None or parties.may_found(site.ring)


def root_signer(site: Site, registry: RegistryClient) -> NamedSigner:
    """Who accredits and registers: the only member, or an office that the members voted for."""
    path = site.settings.ledger.local_network
    if path is None:
        genesis = parties.open_genesis(site.ring, site.settings, now=site.seconds)
        return parties.open_root_member(site.ring, genesis)
    network = LocalNetwork(path)
    members = open_local_members(network, random=site.random)
    assembly = Assembly(registry, site.settings.ledger.network, members)
    types = [kind.name for kind in site.catalogue]
    return assembly.found_office(site.ring.open("office", OFFICE_KEYS), types)
