"""The request of OpenID4VP 1.0: what a relying party asks (§5), signed where it can be (RFC 9101).

The purpose is the one registered on the ledger, and `verifier_info` (§5.11) carries that
registration with its proof under a signed head, so that any wallet can compare what is asked with
what may be asked, and has to believe nobody for it.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlencode

from identity.core import jose
from identity.core.client_identifier import ClientIdentifier
from identity.core.encrypted_answer import ENC_VALUES
from identity.core.parties import Purpose, RelyingParty
from identity.core.pseudonym import Wish
from registry.core.encoding import JsonObject
from registry.core.hashing import labelled_hash
from registry.core.refusals import Malformed
from registry.core.relying_party import RelyingParty as Registration

REQUEST_TYP = "oauth-authz-req+jwt"
REQUEST_MEDIA_TYPE = "application/oauth-authz-req+jwt"
STATIC_AUDIENCE = "https://self-issued.me/v2"  # §5.8: the wallet is not known beforehand
REGISTRATION_FORMAT = "cairn-registration/1"
MAX_WALLET_NONCE_CHARS = 512
MATCHING_DIGITS = 4  # people compare four digits without effort; nothing is guessed against it

_ALGORITHMS = ["ES256", "ES384", "EdDSA"]  # holders' and issuers' keys that we admit
_SUITES = ["eddsa-rdfc-2022", "eddsa-jcs-2022", "ecdsa-rdfc-2019", "ecdsa-jcs-2019"]
_COSE_ES256 = [-7, -9]  # RFC 9053, and its fully-specified name of RFC 9864
VP_FORMATS: JsonObject = {
    "dc+sd-jwt": {"sd-jwt_alg_values": _ALGORITHMS, "kb-jwt_alg_values": _ALGORITHMS},
    "ldp_vc": {"proof_type_values": ["DataIntegrityProof"], "cryptosuite_values": _SUITES},
    "jwt_vc_json": {"alg_values": _ALGORITHMS},
    "mso_mdoc": {"issuerauth_alg_values": _COSE_ES256, "deviceauth_alg_values": _COSE_ES256},
}
_HAIP_FORMATS = ("dc+sd-jwt", "mso_mdoc")


class Delivery(StrEnum):
    """How a wallet gets the request."""

    URI = "uri"  # by reference: `request_uri`, GET or POST
    VALUE = "value"  # the signed request object in the link
    QUERY = "query"  # unsigned, every parameter in the link


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestIds:
    """What makes one request this request."""

    request_uri: str
    response_uri: str
    nonce: str
    state: str
    issued_at: int  # unix seconds
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenRegistration:
    """What the ledger says about a relying party, with what proves it offline."""

    record: Registration
    proof: JsonObject  # of presence in the state; `registry.core.sparse_map.parse_map_proof`
    head: str  # checkpoint text, signed


def request_parameters(
    *,
    party: RelyingParty,
    client_id: str,
    purpose: Purpose,
    registration: ProvenRegistration,
    query: JsonObject,
    ids: RequestIds,
    answer_jwk: JsonObject | None,
    pseudonym: Wish,
) -> JsonObject:
    """The parameters of the request. With `answer_jwk` the answer is to be encrypted to that key.

    `pseudonym` is ours, and stands there only when one is asked for; other wallets ignore it.

    There is no `iss`: widely used wallets refuse a prefixed one beside a DID `kid`. By the High
    Assurance profile `client_metadata` holds the three members that it names.
    """
    metadata: JsonObject = {}
    if not party.haip:
        metadata["client_name"] = party.name["en"]
        metadata |= {f"client_name#{tag}": text for tag, text in party.name.items() if tag != "en"}
    formats = [name for name in VP_FORMATS if not party.haip or name in _HAIP_FORMATS]
    metadata["vp_formats_supported"] = {name: VP_FORMATS[name] for name in formats}
    if answer_jwk is not None:
        metadata["jwks"] = {"keys": [answer_jwk]}
        metadata["encrypted_response_enc_values_supported"] = list(ENC_VALUES)
    ours: JsonObject = {} if pseudonym is Wish.NONE else {"pseudonym": str(pseudonym)}
    return {
        "client_id": client_id,
        "response_type": "vp_token",
        "response_mode": "direct_post.jwt" if answer_jwk else "direct_post",
        "response_uri": ids.response_uri,
        "nonce": ids.nonce,
        "state": ids.state,
        "dcql_query": query,
        "client_metadata": metadata,
        "verifier_info": [_registration_info(purpose, registration)],
        **ours,
    }


def sign_request(
    parameters: JsonObject, *, name: ClientIdentifier, ids: RequestIds, wallet_nonce: str
) -> str:
    """The signed request object. `wallet_nonce` is empty when the wallet sent none (§5.10).

    Raises:
        Malformed: the wallet's nonce is too long, or a request under this name is not signed.
    """
    if len(wallet_nonce) > MAX_WALLET_NONCE_CHARS:
        raise Malformed("wallet_nonce is too long")
    if name.signer is None:
        raise Malformed("a request under this client identifier is not signed")
    payload: JsonObject = {
        **parameters,
        "aud": STATIC_AUDIENCE,
        "iat": ids.issued_at,
        "exp": ids.expires_at,
    }
    if wallet_nonce:
        payload["wallet_nonce"] = wallet_nonce
    return jose.sign_compact(
        header={"typ": REQUEST_TYP, **name.header}, payload=payload, signer=name.signer
    )


def link_by_reference(client_id: str, request_uri: str, *, scheme: str) -> str:
    """The link that a QR code holds (§13.1.2)."""
    query = {"client_id": client_id, "request_uri": request_uri, "request_uri_method": "post"}
    return _link(scheme, query)


def link_by_value(client_id: str, request: str, *, scheme: str) -> str:
    """The link with the signed request object in it."""
    return _link(scheme, {"client_id": client_id, "request": request})


def link_with_parameters(parameters: JsonObject, *, scheme: str) -> str:
    """The link of an unsigned request: objects as JSON text (§5.1)."""
    query = {
        name: value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        for name, value in parameters.items()
    }
    return _link(scheme, query)


def _link(scheme: str, query: dict[str, str]) -> str:
    """A space is %20: not every app's URL parser reads a plus as one."""
    return f"{scheme}://?{urlencode(query, quote_via=quote)}"


def matching_code(client_id: str, nonce: str) -> str:
    """Digits that both screens show, so that a person sees that they belong together.

    A wallet computes them from the request; they are no secret.
    """
    value = labelled_hash("cairn/matching-code/v1", client_id.encode(), nonce.encode())
    return f"{int.from_bytes(value[:8], 'big') % 10**MATCHING_DIGITS:0{MATCHING_DIGITS}d}"


def _registration_info(purpose: Purpose, registration: ProvenRegistration) -> JsonObject:
    """What this party may ask, as the ledger proves it; the wallet need not believe us."""
    return {
        "format": REGISTRATION_FORMAT,
        "data": {
            "party": registration.record.party,
            "version": registration.record.version,
            "purpose": purpose.code,
            "description": dict(purpose.description),
            "record": registration.record.to_object(),
            "proof": registration.proof,
            "head": registration.head,
        },
    }
