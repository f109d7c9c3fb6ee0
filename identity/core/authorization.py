"""Authorization requests of wallets: what one may hold, and the way back to the wallet.

OAuth 2.0 (RFC 6749 §4.1), PKCE with S256 alone (RFC 7636), pushed requests alone (RFC 9126), `iss`
in the answer (RFC 9207), native apps (RFC 8252), OpenID4VCI 1.0 §5. Wallets are public clients that
nobody registered: what protects the citizen is that the page says where its answer goes, that the
code is worth nothing without the verifier, and that it may be bound to a DPoP key.
"""

import hmac
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from identity.core.oid4vci_errors import (
    InvalidAuthorizationDetails,
    InvalidGrant,
    InvalidRequest,
    InvalidTarget,
    UnsupportedResponseType,
)
from registry.core.encoding import base64url_encode, parse_json
from registry.core.hashing import labelled_hash, sha256
from registry.core.refusals import Malformed

REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
# To find the letter with the code, and to type it; FAPI 2.0 §5.3.2.2 wants less than 600.
REQUEST_SECONDS = 590
CODE_SECONDS = 60
MAX_TRIES = 5  # wrong answers to one authorization request
MAX_CLIENT_ID_CHARS = 512
MAX_REDIRECT_URI_CHARS = 2048
MAX_STATE_CHARS = 2048
MAX_DETAILS = 8  # configurations that one request may name
IDENTIFICATION_CODE_CHARS = 12  # 60 random bits, so that its digest cannot be inverted in its life
MAX_IDENTIFICATION_TRIES = 5

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: nothing that reads like something else
_LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1"})
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # base64url of SHA-256 (RFC 7636 §4.2)
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 §4.1
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
# Schemes that make a browser run or show what the sender wrote, or read files.
_NEVER = frozenset(
    {"javascript", "data", "vbscript", "file", "blob", "about", "ftp", "ws", "wss", "filesystem"}
)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A pushed request whose form is in order. Which credentials it means is decided elsewhere."""

    client_id: str
    redirect_uri: str
    state: str | None
    code_challenge: str
    scopes: tuple[str, ...]
    authorization_details: str | None  # JSON as sent
    issuer_state: str | None
    dpop_jkt: str | None


def parse_request(form: Mapping[str, str], *, issuer_url: str) -> AuthorizationRequest:
    """Check the parameters of a pushed request; those that we do not know are ignored.

    Raises:
        InvalidRequest: one is missing, too long, or asks for what we do not do.
        UnsupportedResponseType: another than `code`.
        InvalidTarget: `resource` is another issuer (RFC 8707 §2).
    """
    if "request_uri" in form or "request" in form:  # RFC 9126 §2.1; we take no JAR
        raise InvalidRequest("a pushed request holds neither request_uri nor request")
    if form.get("response_type") is None:
        raise InvalidRequest("response_type is missing")
    if form["response_type"] != "code":
        raise UnsupportedResponseType("only response_type=code is supported")
    if form.get("response_mode", "query") != "query":
        raise InvalidRequest("only response_mode=query is supported")
    client_id = form.get("client_id", "")
    if not _PRINTABLE.fullmatch(client_id) or len(client_id) > MAX_CLIENT_ID_CHARS:
        raise InvalidRequest("client_id is missing or malformed")
    redirect_uri = form.get("redirect_uri", "")
    check_redirect_uri(redirect_uri, own=issuer_url)
    state = form.get("state")
    if state is not None and len(state) > MAX_STATE_CHARS:
        raise InvalidRequest("state is too long")
    if form.get("code_challenge") is None:
        raise InvalidRequest("code_challenge is missing: PKCE is required")
    if form.get("code_challenge_method") != "S256":
        raise InvalidRequest("code_challenge_method must be S256")
    if not _CHALLENGE.fullmatch(form["code_challenge"]):
        raise InvalidRequest("code_challenge is not the base64url form of a SHA-256 digest")
    if form.get("resource", issuer_url) != issuer_url:
        raise InvalidTarget("resource is not this credential issuer")
    jkt = form.get("dpop_jkt")
    if jkt is not None and not _THUMBPRINT.fullmatch(jkt):
        raise InvalidRequest("dpop_jkt is not a JWK thumbprint")
    return AuthorizationRequest(
        client_id=client_id,
        redirect_uri=redirect_uri,
        state=state,
        code_challenge=form["code_challenge"],
        scopes=tuple(form.get("scope", "").split()),
        authorization_details=form.get("authorization_details"),
        issuer_state=form.get("issuer_state"),
        dpop_jkt=jkt,
    )


def parse_details(text: str, *, allowed: Collection[str], issuer_url: str) -> tuple[str, ...]:
    """Configurations that `authorization_details` names (RFC 9396, OpenID4VCI 1.0 §5.1.1, §6.1.1).

    Args:
        text: JSON as sent; members that we do not know are ignored.
        allowed: identifiers that may be named.
        issuer_url: the one place that `locations`, where given, must hold.

    Raises:
        InvalidAuthorizationDetails: not readable, of another type or for another issuer, or it
            names something else (RFC 9396 §5).
    """
    try:
        details = parse_json(text, max_bytes=1 << 14, max_depth=8)
    except Malformed as error:
        raise InvalidAuthorizationDetails("authorization_details is no JSON") from error
    if not isinstance(details, list) or not 1 <= len(details) <= MAX_DETAILS:
        raise InvalidAuthorizationDetails("authorization_details is no short array")
    names: list[str] = []
    for detail in details:
        if not isinstance(detail, dict) or detail.get("type") != "openid_credential":
            raise InvalidAuthorizationDetails("only the type openid_credential is known here")
        places = detail.get("locations", [issuer_url])
        if not isinstance(places, list) or issuer_url not in places:
            raise InvalidAuthorizationDetails("locations does not hold this credential issuer")
        name = detail.get("credential_configuration_id")
        if not isinstance(name, str) or name not in allowed:
            raise InvalidAuthorizationDetails("credential_configuration_id is not to be had here")
        names.append(name)
    return tuple(dict.fromkeys(names))


def check_redirect_uri(uri: str, *, own: str = "") -> None:
    """Check that the answer may go to `uri`: https, loopback http, or an app's own scheme.

    Plain http goes to the origin of `own` too: a demonstration in a local network has no other.

    Raises:
        InvalidRequest: anything else, or a fragment (RFC 6749 §3.1.2).
    """
    if not _PRINTABLE.fullmatch(uri) or len(uri) > MAX_REDIRECT_URI_CHARS:
        raise InvalidRequest("redirect_uri is missing, too long, or holds other characters")
    try:
        parts = urlsplit(uri)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise InvalidRequest("redirect_uri is no URI") from error
    if "#" in uri:
        raise InvalidRequest("redirect_uri has a fragment")
    if not _SCHEME.fullmatch(parts.scheme) or parts.scheme in _NEVER:
        raise InvalidRequest("redirect_uri has a scheme that no wallet has")
    if parts.scheme in ("http", "https"):
        if not host or parts.username is not None or parts.password is not None:
            raise InvalidRequest("redirect_uri names no host, or a user")
        ours = urlsplit(own)
        same = (parts.scheme, parts.netloc) == (ours.scheme, ours.netloc)
        if parts.scheme == "http" and host not in _LOOPBACK and not same:
            raise InvalidRequest("redirect_uri is plain http beyond this machine")


def redirect_target(uri: str) -> str:
    """What the page shows the citizen as the place that gets the answer."""
    parts = urlsplit(uri)
    return parts.netloc if parts.scheme in ("http", "https") else f"{parts.scheme}:"


def redirect_source(uri: str) -> str:
    """The same as a source expression of CSP `form-action`."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"


def answer_uri(redirect_uri: str, *, issuer_url: str, state: str | None, **members: str) -> str:
    """`redirect_uri` with the answer; `iss` is always there (RFC 9207), `state` as it came."""
    query = {**members, "iss": issuer_url}
    if state is not None:
        query["state"] = state
    # A space is %20: not every app's URL parser reads a plus as one.
    encoded = urlencode(query, quote_via=quote)
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{encoded}"


def check_verifier(challenge: str, verifier: str | None) -> None:
    """Check PKCE (RFC 7636 §4.6).

    Raises:
        InvalidRequest: there is no verifier.
        InvalidGrant: it is not the one whose digest was pushed.
    """
    if verifier is None:
        raise InvalidRequest("code_verifier is missing")
    if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(
        base64url_encode(sha256(verifier.encode("ascii"))), challenge
    ):
        raise InvalidGrant("code_verifier does not belong to the code_challenge")


def new_identification_code(random: Callable[[int], bytes]) -> str:
    """A code that an agency hands to a person it knows: `XXXX-XXXX-XXXX`, 60 random bits."""
    number = int.from_bytes(random(8), "big")
    text = "".join(
        _ALPHABET[number >> (5 * place) & 31] for place in range(IDENTIFICATION_CODE_CHARS)
    )
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def identification_code_digest(typed: str) -> bytes | None:
    """Digest of a code as somebody types it; None when it cannot be one."""
    text = re.sub(r"[\s-]", "", typed[:64]).upper().translate(_LOOKALIKES)
    if len(text) != IDENTIFICATION_CODE_CHARS or any(char not in _ALPHABET for char in text):
        return None
    return labelled_hash("cairn/identification-code/v1", text.encode("ascii"))
