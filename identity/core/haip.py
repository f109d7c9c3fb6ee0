"""The High Assurance Interoperability Profile 1.0, as far as it binds a verifier (§5, §6.1).

A relying party that has it switched on asks this way and no other, and takes no less: whatever the
profile leaves open stays as OpenID4VP 1.0 has it.
"""

from base64 import b64decode
from collections.abc import Iterable

from cryptography import x509

from identity.core.certificates import MAX_CHAIN, read_certificate
from identity.core.client_identifier import ClientIdPrefix
from identity.core.dcql import CredentialFormat
from identity.core.presentation_request import Delivery
from registry.core.encoding import JsonObject
from registry.core.refusals import Malformed, NotPermitted

FORMATS = (CredentialFormat.SD_JWT_VC, CredentialFormat.MSO_MDOC)
MAX_CERTIFICATE_CHARS = 8192


class ProfileDemandsMore(NotPermitted):
    """The relying party asks by the High Assurance profile, which does not allow this."""


class ProfileNotKept(NotPermitted):
    """The credential is not what the High Assurance profile wants. `reason` is a stable code."""

    reason = "haip_not_kept"


def refuse_weaker_request(
    *,
    prefix: ClientIdPrefix,
    delivery: Delivery,
    encrypted: bool,
    formats: Iterable[CredentialFormat],
) -> None:
    """Check a request before it is made (§5, §5.1).

    Raises:
        ProfileDemandsMore: with the rule that it breaks.
    """
    if prefix is not ClientIdPrefix.X509_HASH:
        raise ProfileDemandsMore("HAIP: the client identifier is an x509_hash")
    if delivery is not Delivery.URI:
        raise ProfileDemandsMore("HAIP: the request is signed and fetched by request_uri")
    if not encrypted:
        raise ProfileDemandsMore("HAIP: the answer is encrypted (direct_post.jwt)")
    if not set(formats) <= set(FORMATS):
        raise ProfileDemandsMore("HAIP: the formats are dc+sd-jwt and mso_mdoc")


def check_signing_header(header: JsonObject) -> None:
    """Check that an SD-JWT VC names its key by `x5c`, without the trust anchor (§6.1.1).

    Whether the chain leads to somebody is not judged here: the ledger says who the issuer is.

    Raises:
        ProfileNotKept: as it says.
    """
    chain = header.get("x5c")
    if not isinstance(chain, list) or not 1 <= len(chain) <= MAX_CHAIN:
        raise ProfileNotKept("HAIP: the credential names its key by x5c")
    try:
        certificates = [_certificate(item) for item in chain]
    except (ValueError, Malformed) as error:
        raise ProfileNotKept("HAIP: x5c of the credential holds no certificates") from error
    if any(certificate.issuer == certificate.subject for certificate in certificates):
        raise ProfileNotKept("HAIP: x5c of the credential holds a self-signed certificate")


def _certificate(item: object) -> x509.Certificate:
    if not isinstance(item, str) or len(item) > MAX_CERTIFICATE_CHARS:
        raise ValueError("no text of bounded length")
    return read_certificate(b64decode(item, validate=True))
