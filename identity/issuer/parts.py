"""What every service of the issuer is made of; `identity.app` puts it together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from identity.core.client_attestation import ClientTrust
from identity.core.credential_types import Catalogue, CredentialType
from identity.core.jsonld import ContextStore
from identity.core.jwe import DecryptionKey
from identity.core.key_attestation import AttestationDemand
from identity.core.parties import Agency
from identity.issuer.flow_stores import AuthorizationStore, DeferredStore
from identity.issuer.ports import PersonClaims, Registry, Vault
from identity.issuer.stores import BatchStore, IssuanceStore, OfferStore, StatusStore
from registry.core.refusals import NotFound, NotPermitted

DEFAULT_VALIDITY = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyOptions:
    """What one agency demands beyond the default.

    `attestations` are by credential type. `request_key` decrypts credential requests; without one,
    messages are not encrypted. `logo` is an https or data URL. `clients` says who attests wallets;
    None: nobody is asked who it is.
    """

    dpop_required: bool = False
    attestations: Mapping[str, AttestationDemand] = field(default_factory=dict)
    request_key: DecryptionKey | None = None
    logo: str | None = None
    clients: ClientTrust | None = None


_DEFAULT_OPTIONS = AgencyOptions()


class UnknownAgency(NotFound):
    """No issuing agency of that name is served here."""


class TypeNotIssued(NotPermitted):
    """This agency does not issue that credential type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerParts:
    """Agencies, stores and neighbours. `network` is the name of the ledger."""

    agencies: Mapping[str, Agency]
    catalogue: Catalogue
    contexts: ContextStore
    network: str
    issuing_country: str  # ISO 3166-1 alpha-2; the claim of that name
    random: Callable[[int], bytes]
    offers: OfferStore
    issuances: IssuanceStore
    statuses: StatusStore
    batches: BatchStore
    authorizations: AuthorizationStore
    deferred: DeferredStore
    registry: Registry
    persons: PersonClaims
    vault: Vault
    validity: Mapping[str, timedelta] = field(default_factory=dict)  # by credential type
    agency_options: Mapping[str, AgencyOptions] = field(default_factory=dict)  # by slug
    # Batches gather everybody of a stretch of time (`issuance.STRETCH_SECONDS`) before they are
    # sealed: a batch with one citizen in it ties her copies together.
    gathers: bool = False

    def agency(self, slug: str) -> Agency:
        """The agency called `slug`.

        Raises:
            UnknownAgency: there is none.
        """
        agency = self.agencies.get(slug)
        if agency is None:
            raise UnknownAgency("no such issuing agency is served here")
        return agency

    def options(self, slug: str) -> AgencyOptions:
        """What this agency demands beyond the default."""
        return self.agency_options.get(slug, _DEFAULT_OPTIONS)

    def issued_type(self, agency: Agency, name: str) -> CredentialType:
        """The credential type `name`, when `agency` issues it.

        Raises:
            TypeNotIssued: it does not.
        """
        if name not in agency.credential_types:
            raise TypeNotIssued("this agency does not issue that credential type")
        return self.catalogue.by_name(name)

    def validity_of(self, type_name: str) -> timedelta:
        """How long a credential of this type is valid."""
        return self.validity.get(type_name, DEFAULT_VALIDITY)
