"""Under which name a relying party asks, and how a wallet checks it (OpenID4VP 1.0 §5.9.3).

A name is a prefix and what follows it. The whole of it, prefix included, is the audience of every
presentation, so a presentation to one name is worth nothing under another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from cryptography import x509

from identity.core.certificates import read_certificate, x5c
from identity.core.parties import RelyingParty
from identity.core.signing import NamedSigner, Signer
from registry.core.did_web import web_did
from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.hashing import sha256
from registry.core.refusals import NotPermitted


class ClientIdPrefix(StrEnum):
    """The prefixes that our relying parties can ask under."""

    DID = "decentralized_identifier"
    X509_HASH = "x509_hash"
    X509_SAN_DNS = "x509_san_dns"
    REDIRECT_URI = "redirect_uri"


class ClientDid(StrEnum):
    """Which DID a relying party asks under; wallets that know no ledger resolve the other two."""

    LEDGER = "cairn"
    WEB = "web"
    JWK = "jwk"


class ClientIdNotAvailable(NotPermitted):
    """The relying party cannot ask under such a name, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientIdentifier:
    """One name of a relying party.

    Args:
        value: the client identifier with its prefix.
        header: members of the request object's header that lead to the key: `kid`, or `x5c`.
        signer: signs the request object; None when a request under this name is not signed.
    """

    value: str
    header: Mapping[str, object]
    signer: Signer | None


def client_identifier(
    party: RelyingParty, prefix: ClientIdPrefix, *, did: ClientDid, response_uri: str
) -> ClientIdentifier:
    """The name of `party` under `prefix`, and how a request under it is signed.

    Args:
        did: which DID, when the prefix is `decentralized_identifier`.
        response_uri: where answers go; two prefixes depend on it.

    Raises:
        ClientIdNotAvailable: the party has no certificate, or none for that host; or no DID of that
            kind.
    """
    if prefix is ClientIdPrefix.DID:
        return _by_did(party, did)
    if prefix is ClientIdPrefix.REDIRECT_URI:
        return ClientIdentifier(value=f"{prefix}:{response_uri}", header={}, signer=None)
    chain = party.certificates.current()
    leaf = _leaf(chain)
    if prefix is ClientIdPrefix.X509_HASH:
        value = base64url_encode(sha256(chain[0]))
    else:
        value = _host_in(leaf, response_uri)
    return ClientIdentifier(
        value=f"{prefix}:{value}", header={"x5c": x5c(chain)}, signer=party.request
    )


def prefix_of(client_id: str) -> ClientIdPrefix:
    """The prefix of a client identifier of ours."""
    return ClientIdPrefix(client_id.partition(":")[0])


def _by_did(party: RelyingParty, kind: ClientDid) -> ClientIdentifier:
    if kind is ClientDid.LEDGER:
        name, method = party.did, party.request.verification_method
    elif kind is ClientDid.JWK:
        jwk: JsonObject = {**party.request.key.jwk, "use": "sig", "alg": "ES256"}
        name = f"did:jwk:{base64url_encode(canonical_json(jwk))}"
        method = f"{name}#0"
    else:
        found = web_did(party.verifier_url)
        if found is None:
            raise ClientIdNotAvailable("a did:web needs an address that begins with https")
        name = found
        method = f"{name}#{party.request.verification_method.partition('#')[2]}"
    return ClientIdentifier(
        value=f"{ClientIdPrefix.DID}:{name}",
        header={"kid": method},
        signer=NamedSigner(party.request, method),
    )


def _leaf(chain: Sequence[bytes]) -> x509.Certificate:
    """The certificate of the request key; wallets refuse one that is its own issuer."""
    if not chain:
        raise ClientIdNotAvailable("this relying party has no certificate for its requests")
    certificates = [read_certificate(item) for item in chain]
    if any(item.issuer == item.subject for item in certificates):
        raise ClientIdNotAvailable("a self-signed certificate does not belong into x5c")
    return certificates[0]


def _host_in(leaf: x509.Certificate, response_uri: str) -> str:
    """The host of `response_uri`, which the certificate must name as a DNS name."""
    host = urlsplit(response_uri).hostname or ""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise ClientIdNotAvailable("the certificate names no host") from None
    if host not in names.get_values_for_type(x509.DNSName):
        raise ClientIdNotAvailable("the certificate does not name the host of response_uri")
    return host
