"""Credential offers (OpenID4VCI 1.0 §4.1): what is in one, and what its secrets are made of.

An offer has one secret, its reference: 32 random bytes. Everything else follows from it, so the
database holds digests only, and whoever steals it can redeem nothing:

- the offer is fetched under the reference itself;
- the pre-authorized code is a hash of the reference;
- a transaction code, which is short enough to guess, is kept as a hash together with that code.
"""

from collections.abc import Callable, Sequence
from urllib.parse import quote

from registry.core.encoding import (
    JsonObject,
    base64url_decode,
    base64url_encode,
    canonical_json,
)
from registry.core.hashing import labelled_hash
from registry.core.refusals import Malformed

PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
AUTHORIZATION_CODE = "authorization_code"
SECRET_BYTES = 32
SECRET_CHARS = 43  # base64url of 32 bytes
TX_CODE_DIGITS = 6
MAX_TX_CODE_TRIES = 5  # a million codes: five tries succeed once in 200,000 offers
MAX_TX_CODE_CHARS = 64  # bound on what a client may send; ours have 6


class SecretMalformed(Malformed):
    """The text cannot be one of our references, codes or tokens."""


def new_secret(random: Callable[[int], bytes]) -> str:
    """A reference, token or nonce: 256 random bits as base64url, 43 characters."""
    return base64url_encode(random(SECRET_BYTES))


def secret_digest(kind: str, secret: str) -> bytes:
    """Digest under which a secret is kept, 32 bytes.

    One hash is enough for 256 random bits. `kind` keeps a token from being taken for a code.

    Raises:
        SecretMalformed: not 43 characters of base64url.
    """
    return labelled_hash(f"cairn/{kind}/v1", _secret_bytes(secret))


def pre_authorized_code(reference: str) -> str:
    """The pre-authorized code of the offer with this reference; the reverse is not possible.

    Raises:
        SecretMalformed: `reference` is none.
    """
    return base64url_encode(labelled_hash("cairn/pre-authorized-code/v1", _secret_bytes(reference)))


def issuer_state(reference: str) -> str:
    """The `issuer_state` of the offer with this reference; neither leads to its code.

    Raises:
        SecretMalformed: `reference` is none.
    """
    return base64url_encode(labelled_hash("cairn/issuer-state/v1", _secret_bytes(reference)))


def new_tx_code(random: Callable[[int], bytes]) -> str:
    """Six decimal digits; the bias of the reduction is below 2^-44."""
    number = int.from_bytes(random(8), "big") % 10**TX_CODE_DIGITS
    return f"{number:0{TX_CODE_DIGITS}d}"


def tx_code_digest(code: str, tx_code: str) -> bytes:
    """Digest of a transaction code, 32 bytes, useless without the pre-authorized code.

    Raises:
        SecretMalformed: `code` is none, or `tx_code` is empty or longer than any of ours.
    """
    if not 1 <= len(tx_code) <= MAX_TX_CODE_CHARS:
        raise SecretMalformed("the transaction code has an impossible length")
    try:
        guess = tx_code.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SecretMalformed("the transaction code is no text") from error
    return labelled_hash("cairn/tx-code/v1", _secret_bytes(code), guess)


def credential_offer(
    *,
    issuer_url: str,
    configuration_ids: Sequence[str],
    reference: str,
    tx_code: bool,
    pre_authorized: bool = True,
    authorization_code: bool = False,
) -> JsonObject:
    """The Credential Offer object (§4.1.1) with the grants that the agency chose."""
    grants: JsonObject = {}
    if authorization_code:
        grants[AUTHORIZATION_CODE] = {"issuer_state": issuer_state(reference)}
    if pre_authorized:
        grant: JsonObject = {"pre-authorized_code": pre_authorized_code(reference)}
        if tx_code:
            grant["tx_code"] = {
                "input_mode": "numeric",
                "length": TX_CODE_DIGITS,
                "description": "The code that the agency gave you separately.",
            }
        grants[PRE_AUTHORIZED] = grant
    return {
        "credential_issuer": issuer_url,
        "credential_configuration_ids": list(configuration_ids),
        "grants": grants,
    }


def offer_link_by_reference(offer_url: str) -> str:
    """The link behind the QR code, short: the wallet fetches the offer (§4.1.3)."""
    return f"openid-credential-offer://?credential_offer_uri={quote(offer_url, safe='')}"


def offer_link_by_value(offer: JsonObject) -> str:
    """The link with the whole offer in it (§4.1.2).

    Some wallets decode it twice, so the JSON itself must have no `%`.
    """
    text = canonical_json(offer).decode("utf-8")
    if "%" in text:
        raise Malformed("an offer with a percent sign can only be sent by reference")
    return f"openid-credential-offer://?credential_offer={quote(text, safe='')}"


def _secret_bytes(secret: str) -> bytes:
    if not isinstance(secret, str) or len(secret) != SECRET_CHARS:
        raise SecretMalformed("not a code or token of ours")
    try:
        return base64url_decode(secret)
    except Malformed as error:
        raise SecretMalformed("not a code or token of ours") from error
