"""The request object of OpenID4VP 1.0: what a relying party asks, signed (§5, RFC 9101).

The purpose is the one registered on the ledger, and `verifier_info` (§5.11) points the wallet at
that registration, so that it can compare what is asked with what may be asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from identity.core import jose
from identity.core.credential_types import Catalogue, CredentialType
from identity.core.dcql import CredentialFormat
from identity.core.encrypted_answer import ENC_VALUES
from identity.core.parties import AskedCredential, Purpose, RelyingParty
from identity.core.verification.proof import VC_IRI, type_iri
from registry.core.encoding import JsonObject
from registry.core.refusals import Malformed, NotPermitted
from registry.core.relying_party import RelyingParty as Registration

REQUEST_TYP = "oauth-authz-req+jwt"
REQUEST_MEDIA_TYPE = "application/oauth-authz-req+jwt"
STATIC_AUDIENCE = "https://self-issued.me/v2"  # §5.8: the wallet is not known beforehand
REGISTRATION_FORMAT = "cairn-registration/1"
MAX_WALLET_NONCE_CHARS = 512

_ALGORITHMS = ["ES256", "ES384", "EdDSA"]  # holders' and issuers' keys that we admit
_SUITES = ["eddsa-rdfc-2022", "eddsa-jcs-2022", "ecdsa-rdfc-2019", "ecdsa-jcs-2019"]
VP_FORMATS: JsonObject = {
    "dc+sd-jwt": {"sd-jwt_alg_values": _ALGORITHMS, "kb-jwt_alg_values": _ALGORITHMS},
    "ldp_vc": {"proof_type_values": ["DataIntegrityProof"], "cryptosuite_values": _SUITES},
}


class AsksTooMuch(NotPermitted):
    """The relying party asks for more than is registered on the ledger for this purpose."""


class PurposeUnknown(NotPermitted):
    """The relying party has no such purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestIds:
    """What makes one request this request."""

    request_uri: str
    response_uri: str
    nonce: str
    state: str
    expires_at: int  # unix seconds


def client_id(did: str) -> str:
    """The client identifier with its prefix (§5.9.3); the audience of every presentation."""
    return f"decentralized_identifier:{did}"


def request_link(did: str, request_uri: str) -> str:
    """The `openid4vp://` link that a QR code holds (§13.1.2)."""
    query = {
        "client_id": client_id(did),
        "request_uri": request_uri,
        "request_uri_method": "post",
    }
    return f"openid4vp://?{urlencode(query)}"


def purpose_of(party: RelyingParty, code: str) -> Purpose:
    """The configured purpose called `code`.

    Raises:
        PurposeUnknown: there is none.
    """
    for purpose in party.purposes:
        if purpose.code == code:
            return purpose
    raise PurposeUnknown("this relying party has no such purpose")


def refuse_over_asking(purpose: Purpose, registration: Registration | None) -> Registration:
    """Hold a purpose to what the ledger says about the relying party; returns the registration.

    Raises:
        AsksTooMuch: it is not registered, not for this purpose, or not for one of the claims.
    """
    if registration is None:
        raise AsksTooMuch("the relying party is not registered on the ledger")
    if registration.purpose(purpose.code) is None:
        raise AsksTooMuch("the purpose is not registered on the ledger")
    for asked in purpose.credentials:
        for path in asked.claims:
            if not registration.may_ask(purpose=purpose.code, type=asked.type, claim=path):
                raise AsksTooMuch("a claim is not registered on the ledger for this purpose")
    return registration


def build_query(
    purpose: Purpose, catalogue: Catalogue, credential_format: CredentialFormat
) -> JsonObject:
    """The DCQL query of a purpose; the id of each credential query is the type's name.

    Raises:
        Malformed: the purpose asks for nothing.
        UnknownCredentialType: it asks for a type that is not published.
    """
    if not purpose.credentials or not all(asked.claims for asked in purpose.credentials):
        raise Malformed("a purpose asks for something")
    return {
        "credentials": [
            _credential_query(asked, purpose.require, catalogue, credential_format)
            for asked in purpose.credentials
        ]
    }


def request_object(
    *,
    party: RelyingParty,
    purpose: Purpose,
    registration: Registration,
    query: JsonObject,
    ids: RequestIds,
    issued_at: int,
    wallet_nonce: str,
    answer_jwk: JsonObject | None,
) -> str:
    """Sign the request object. `wallet_nonce` is empty when the wallet sent none (§5.10).

    With `answer_jwk` the answer is to be encrypted to that key (`direct_post.jwt`, §8.3.1).
    There is no `iss`: widely used wallets refuse a prefixed one beside a DID `kid`.

    Raises:
        Malformed: the wallet's nonce is too long.
    """
    if len(wallet_nonce) > MAX_WALLET_NONCE_CHARS:
        raise Malformed("wallet_nonce is too long")
    payload: JsonObject = {
        "aud": STATIC_AUDIENCE,
        "client_id": client_id(party.did),
        "response_type": "vp_token",
        "response_mode": "direct_post.jwt" if answer_jwk else "direct_post",
        "response_uri": ids.response_uri,
        "nonce": ids.nonce,
        "state": ids.state,
        "dcql_query": query,
        "client_metadata": {
            "client_name": party.name["en"],
            **{f"client_name#{tag}": text for tag, text in party.name.items() if tag != "en"},
            "vp_formats_supported": VP_FORMATS,
            **_encryption(answer_jwk),
        },
        "verifier_info": [_registration_info(purpose, registration)],
        "iat": issued_at,
        "exp": ids.expires_at,
    }
    if wallet_nonce:
        payload["wallet_nonce"] = wallet_nonce
    return jose.sign_compact(
        header={"typ": REQUEST_TYP, "kid": party.request.verification_method},
        payload=payload,
        signer=party.request,
    )


def _encryption(answer_jwk: JsonObject | None) -> JsonObject:
    if answer_jwk is None:
        return {}
    return {
        "jwks": {"keys": [answer_jwk]},
        "encrypted_response_enc_values_supported": list(ENC_VALUES),
    }


def _registration_info(purpose: Purpose, registration: Registration) -> JsonObject:
    """Where the wallet finds, with proof, what this party may ask; it need not believe us."""
    return {
        "format": REGISTRATION_FORMAT,
        "data": {
            "party": registration.party,
            "version": registration.version,
            "purpose": purpose.code,
            "description": dict(purpose.description),
        },
    }


def _credential_query(
    asked: AskedCredential,
    require: Mapping[str, str | int | bool],
    catalogue: Catalogue,
    credential_format: CredentialFormat,
) -> JsonObject:
    kind = catalogue.by_name(asked.type)
    prefix = ["credentialSubject"] if credential_format is CredentialFormat.LDP_VC else []
    claims: list[JsonObject] = []
    for path in asked.claims:
        claim: JsonObject = {"path": [*prefix, *path]}
        if len(path) == 1 and path[0] in require:
            claim["values"] = [require[str(path[0])]]
        claims.append(claim)
    return {
        "id": asked.type,
        "format": str(credential_format),
        "meta": _meta(kind, credential_format),
        "claims": claims,
    }


def _meta(kind: CredentialType, credential_format: CredentialFormat) -> JsonObject:
    if credential_format is CredentialFormat.SD_JWT_VC:
        return {"vct_values": [kind.vct]}
    return {"type_values": [[VC_IRI, type_iri(kind.context, kind.vc_type)]]}
