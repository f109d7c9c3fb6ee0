"""What wallets read about an issuer before anything else.

Issuer metadata: OpenID4VCI 1.0 §12.2. Authorization server metadata: RFC 8414, here always the
issuer itself. Keys of SD-JWT VCs: `jwt-vc-issuer` of the SD-JWT VC draft.
"""

from identity.core import dpop, key_proof
from identity.core.credential_types import Catalogue, CredentialType
from identity.core.issuance import CREDENTIALS_V2, CRYPTOSUITE, Format, configuration_id
from identity.core.offers import PRE_AUTHORIZED
from identity.core.parties import Agency
from registry.core.encoding import JsonObject

BATCH_SIZE = 10  # copies in one request: one for each place that a citizen shows it to
_LOCALES = {"en": "en-US", "zh": "zh-CN"}


def issuer_metadata(agency: Agency, catalogue: Catalogue) -> JsonObject:
    """The credential issuer metadata of one agency."""
    url = agency.issuer_url
    configurations = {}
    for name in agency.credential_types:
        kind = catalogue.by_name(name)
        for form in Format:
            configurations[configuration_id(name, form)] = _configuration(kind, form)
    return {
        "credential_issuer": url,
        "credential_endpoint": f"{url}/credential",
        "nonce_endpoint": f"{url}/nonce",
        "notification_endpoint": f"{url}/notification",
        "batch_credential_issuance": {"batch_size": BATCH_SIZE},
        "display": [
            {"name": text, "locale": _LOCALES.get(tag, tag)} for tag, text in agency.name.items()
        ],
        "credential_configurations_supported": configurations,
    }


def server_metadata(agency: Agency) -> JsonObject:
    """The authorization server metadata of one agency."""
    url = agency.issuer_url
    return {
        "issuer": url,
        "token_endpoint": f"{url}/token",
        "grant_types_supported": [PRE_AUTHORIZED],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none"],
        "pre-authorized_grant_anonymous_access_supported": True,
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "authorization_details_types_supported": ["openid_credential"],
    }


def jwt_vc_issuer(agency: Agency) -> JsonObject:
    """Under which keys the SD-JWT VCs of this agency are signed."""
    key = {
        **agency.jose.key.jwk,
        "kid": agency.jose.verification_method,
        "use": "sig",
        "alg": agency.jose.key.algorithm,
    }
    return {"issuer": agency.issuer_url, "jwks": {"keys": [key]}}


def _configuration(kind: CredentialType, form: Format) -> JsonObject:
    common: JsonObject = {
        "format": form,
        "scope": configuration_id(kind.name, form),
        "proof_types_supported": {
            "jwt": {"proof_signing_alg_values_supported": list(key_proof.ALGORITHMS)}
        },
        "credential_metadata": {"display": _display(kind), "claims": _claims(kind, form)},
    }
    if form is Format.SD_JWT_VC:
        return {
            **common,
            "vct": kind.vct,
            "cryptographic_binding_methods_supported": ["jwk", "did:key", "did:jwk"],
            "credential_signing_alg_values_supported": ["ES256"],
        }
    return {
        **common,
        "credential_definition": {
            "@context": [CREDENTIALS_V2, kind.context_url],
            "type": ["VerifiableCredential", kind.vc_type],
        },
        "cryptographic_binding_methods_supported": ["did:key", "did:jwk"],
        "credential_signing_alg_values_supported": [CRYPTOSUITE],
    }


def _display(kind: CredentialType) -> list[JsonObject]:
    names, texts, colors = (kind.display[part] for part in ("name", "description", "colors"))
    return [
        {
            "name": names[tag],
            "locale": locale,
            "description": texts[tag],
            "background_color": colors["background"],
            "text_color": colors["text"],
        }
        for tag, locale in _LOCALES.items()
        if tag in names
    ]


def _claims(kind: CredentialType, form: Format) -> list[JsonObject]:
    stem = [] if form is Format.SD_JWT_VC else ["credentialSubject"]
    return [
        {
            "path": [*stem, name],
            "mandatory": name in kind.required,
            "display": [
                {"name": labels[tag], "locale": locale}
                for tag, locale in _LOCALES.items()
                if tag in labels
            ],
        }
        for name, labels in kind.display["claims"].items()
    ]
