"""DID documents that follow from a key alone: `did:key` (v0.9) and `did:jwk`.

Nothing is looked up. The one check is that the key is one we let in, and that the identifier is
the only text of it, so that two texts never name one key under different DIDs of one method.
"""

from registry.core.bls_keys import g2_multikey, is_g2_multikey, parse_g2_multikey
from registry.core.did_url import DidNotValid
from registry.core.encoding import JsonObject, base64url_decode, parse_json_object
from registry.core.keys import PublicKey, parse_jwk, parse_multikey
from registry.core.refusals import Malformed

KEY_CONTEXTS = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1")
JWK_CONTEXTS = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1")

MAX_JWK_CHARS = 2000  # of base64url

_SIGNING = ("authentication", "assertionMethod", "capabilityDelegation", "capabilityInvocation")


def key_document(did: str) -> JsonObject:
    """The document of a `did:key`: the key for every relationship that signs.

    Raises:
        DidNotValid: another method, or a key that is not admitted.
    """
    specific = did.removeprefix("did:key:")
    try:
        multikey = _admitted(specific)
    except Malformed as error:
        raise DidNotValid(f"did:key holds no key that is admitted: {error.detail}") from error
    if f"did:key:{multikey}" != did:
        raise DidNotValid("did:key is not in its only form")
    method = f"{did}#{specific}"
    return {
        "@context": list(KEY_CONTEXTS),
        "id": did,
        "verificationMethod": [
            {
                "id": method,
                "type": "Multikey",
                "controller": did,
                "publicKeyMultibase": multikey,
            }
        ],
        **{relationship: [method] for relationship in _SIGNING},
    }


def jwk_document(did: str) -> JsonObject:
    """The document of a `did:jwk`: the JWK as it is, under `#0`.

    A key for `use: sig` is in no `keyAgreement`, one for `use: enc` in nothing else. An Ed25519 key
    cannot agree on keys, whatever its JWK leaves out.

    Raises:
        DidNotValid: another method, no JWK, a key that is not admitted, or a use that it cannot
            serve.
    """
    jwk, key = _read_jwk(did)
    method = f"{did}#0"
    use = jwk.get("use")
    agrees = key.type != "Ed25519"
    if use not in (None, "sig", "enc") or (use == "enc" and not agrees):
        raise DidNotValid("did:jwk names a use that its key cannot serve")
    relationships = [] if use == "enc" else list(_SIGNING)
    if agrees and use != "sig":
        relationships.append("keyAgreement")
    return {
        "@context": list(JWK_CONTEXTS),
        "id": did,
        "verificationMethod": [
            {"id": method, "type": "JsonWebKey2020", "controller": did, "publicKeyJwk": jwk}
        ],
        **{relationship: [method] for relationship in relationships},
    }


def _admitted(text: str) -> str:
    """The only form of a multikey that is admitted."""
    if is_g2_multikey(text):  # signs credentials of bbs-2023, and nothing that we verify otherwise
        return g2_multikey(parse_g2_multikey(text))
    return parse_multikey(text).multikey


def _read_jwk(did: str) -> tuple[JsonObject, PublicKey]:
    specific = did.removeprefix("did:jwk:")
    if specific == did or len(specific) > MAX_JWK_CHARS:
        raise DidNotValid("not a did:jwk, or too long")
    try:
        jwk = parse_json_object(base64url_decode(specific))
        return jwk, parse_jwk(jwk)
    except Malformed as error:
        raise DidNotValid(f"did:jwk holds no key that is admitted: {error.detail}") from error
