"""What wallets read about an issuer before anything else.

Issuer metadata: OpenID4VCI 1.0 §12.2, plain or signed. Authorization server metadata: RFC 8414,
here always the issuer itself. Keys of SD-JWT VCs: `jwt-vc-issuer` of the SD-JWT VC draft.
"""

from datetime import datetime, timedelta

from identity.core import client_attestation, dpop, jwe, key_proof
from identity.core.certificates import with_x5c
from identity.core.client_attestation import ClientTrust
from identity.core.credential_types import Catalogue, CredentialType
from identity.core.issuance import (
    BACKDATE_SECONDS,
    CREDENTIALS_V1,
    CREDENTIALS_V2,
    CRYPTOSUITE,
    Format,
    configuration_id,
)
from identity.core.jose import sign_compact
from identity.core.key_attestation import AttestationDemand
from identity.core.offers import AUTHORIZATION_CODE, PRE_AUTHORIZED
from identity.core.parties import Agency
from identity.issuer.key_proofs import ATTESTATION_ALGORITHMS, BATCH_SIZE
from identity.issuer.parts import AgencyOptions
from registry.core.encoding import JsonObject

COSE_ES256 = -7  # RFC 9053 §2.1; mdoc algorithms are COSE numbers (OpenID4VCI 1.0 §A.2.2)
SIGNED_TYP = "openidvci-issuer-metadata+jwt"
SIGNED_LIFETIME = timedelta(hours=24)
_LOCALES = {"en": "en-US", "zh": "zh-CN"}


def issuer_metadata(agency: Agency, catalogue: Catalogue, options: AgencyOptions) -> JsonObject:
    """The credential issuer metadata of one agency."""
    url = agency.issuer_url
    configurations = {}
    for name in agency.credential_types:
        kind = catalogue.by_name(name)
        for form in Format:
            configurations[configuration_id(name, form)] = _configuration(
                kind, form, options.attestations.get(name)
            )
    document: JsonObject = {
        "credential_issuer": url,
        "credential_endpoint": f"{url}/credential",
        "nonce_endpoint": f"{url}/nonce",
        "deferred_credential_endpoint": f"{url}/deferred-credential",
        "notification_endpoint": f"{url}/notification",
        "batch_credential_issuance": {"batch_size": BATCH_SIZE},
        "display": [
            {
                "name": text,
                "locale": _LOCALES.get(tag, tag),
                **({} if options.logo is None else {"logo": {"uri": options.logo}}),
            }
            for tag, text in agency.name.items()
        ],
        "credential_configurations_supported": configurations,
    }
    if options.request_key is not None:
        document["credential_request_encryption"] = {
            "jwks": {"keys": [options.request_key.jwk]},
            "enc_values_supported": list(jwe.ENC_VALUES),
            "zip_values_supported": list(jwe.ZIP_VALUES),
            "encryption_required": False,
        }
        document["credential_response_encryption"] = {
            "alg_values_supported": [jwe.ALGORITHM],
            "enc_values_supported": list(jwe.ENC_VALUES),
            "zip_values_supported": list(jwe.ZIP_VALUES),
            "encryption_required": False,
        }
    return document


def signed_metadata(metadata: JsonObject, agency: Agency, *, now: datetime) -> str:
    """The same as a JWT (§12.2.3), under the key and certificate of the credentials."""
    started = int(now.timestamp()) - BACKDATE_SECONDS
    return sign_compact(
        header=with_x5c(
            {"typ": SIGNED_TYP, "kid": agency.jose.verification_method}, agency.certificates
        ),
        payload={
            **metadata,
            "iss": agency.issuer_url,
            "sub": agency.issuer_url,
            "iat": started,
            "exp": started + int(SIGNED_LIFETIME.total_seconds()),
        },
        signer=agency.jose,
    )


def server_metadata(
    agency: Agency, catalogue: Catalogue, clients: ClientTrust | None
) -> JsonObject:
    """The authorization server metadata of one agency."""
    methods, attested = ["none"], {}
    if clients is not None:
        methods = ["attest_jwt_client_auth", *([] if clients.required else methods)]
        names = list(client_attestation.ALGORITHMS)
        attested = {
            "client_attestation_signing_alg_values_supported": names,
            "client_attestation_pop_signing_alg_values_supported": names,
        }
    url = agency.issuer_url
    scopes = [
        configuration_id(catalogue.by_name(name).name, form)
        for name in agency.credential_types
        for form in Format
    ]
    return {
        "issuer": url,
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
        "pushed_authorization_request_endpoint": f"{url}/par",
        "require_pushed_authorization_requests": True,
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": [AUTHORIZATION_CODE, PRE_AUTHORIZED],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "scopes_supported": scopes,
        "token_endpoint_auth_methods_supported": methods,
        **attested,
        "authorization_response_iss_parameter_supported": True,
        "pre-authorized_grant_anonymous_access_supported": "none" in methods,
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "authorization_details_types_supported": ["openid_credential"],
        "ui_locales_supported": list(_LOCALES.values()),
    }


def jwt_vc_issuer(agency: Agency) -> JsonObject:
    """Under which keys the SD-JWT VCs of this agency are signed.

    Without those that were retired or stolen: whoever reads nothing else would believe their thief.
    """
    keys = [
        {
            **signer.key.jwk,
            "kid": signer.verification_method,
            "use": "sig",
            "alg": signer.key.algorithm,
        }
        for signer in (agency.jose, *agency.earlier_jose)
        if signer.verification_method not in agency.withdrawn
    ]
    return {"issuer": agency.issuer_url, "jwks": {"keys": keys}}


def _configuration(
    kind: CredentialType, form: Format, demand: AttestationDemand | None
) -> JsonObject:
    required = {} if demand is None else {"key_attestations_required": demand.metadata}
    proofs: JsonObject = {
        "jwt": {"proof_signing_alg_values_supported": list(key_proof.ALGORITHMS), **required}
    }
    if demand is not None:
        proofs["attestation"] = {
            "proof_signing_alg_values_supported": list(ATTESTATION_ALGORITHMS),
            **required,
        }
    if form is Format.MSO_MDOC:
        proofs["jwt"]["proof_signing_alg_values_supported"] = ["ES256"]  # device keys are P-256
    common: JsonObject = {
        "format": form,
        "scope": configuration_id(kind.name, form),
        "proof_types_supported": proofs,
        "credential_metadata": {"display": _display(kind), "claims": _claims(kind, form)},
    }
    if form is Format.SD_JWT_VC:
        return {
            **common,
            "vct": kind.vct,
            "cryptographic_binding_methods_supported": ["jwk", "did:key", "did:jwk"],
            "credential_signing_alg_values_supported": ["ES256"],
        }
    if form is Format.MSO_MDOC:
        return {
            **common,
            "doctype": kind.doctype,
            "cryptographic_binding_methods_supported": ["cose_key"],
            "credential_signing_alg_values_supported": [COSE_ES256],
        }
    by_did = {**common, "cryptographic_binding_methods_supported": ["did:key", "did:jwk"]}
    types = ["VerifiableCredential", kind.vc_type]
    if form is Format.JWT_VC_JSON:
        return {
            **by_did,
            "credential_definition": {
                "@context": [CREDENTIALS_V1, kind.context_url],
                "type": types,
            },
            "credential_signing_alg_values_supported": ["ES256"],
        }
    return {
        **by_did,
        "credential_definition": {"@context": [CREDENTIALS_V2, kind.context_url], "type": types},
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
    stem = {Format.SD_JWT_VC: [], Format.MSO_MDOC: [kind.doctype]}.get(form, ["credentialSubject"])
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
