"""Refusals of OpenID4VCI and of the OAuth endpoints beside it, in their protocols' own form.

OAuth errors: RFC 6749 §5.2. Credential errors: OpenID4VCI 1.0 §8.3.1.2. Notification errors: §11.3.
Authorization errors: RFC 6750 §3.
"""

from dataclasses import dataclass

from registry.core.encoding import JsonObject
from registry.core.refusals import (
    Conflict,
    Malformed,
    NotFound,
    NotPermitted,
    Refusal,
    Unavailable,
)


class InvalidRequest(Malformed):
    """A token request lacks a parameter, repeats one, or has one too many."""


class InvalidClient(NotPermitted):
    """The wallet did not prove who it is, where that is asked, or not well (RFC 6749 §5.2)."""


class InvalidGrant(NotPermitted):
    """The code is wrong, expired or used, or its transaction code is wrong."""


class UnsupportedGrantType(Malformed):
    """Neither the authorization code nor the pre-authorized code grant."""


class UnsupportedResponseType(Malformed):
    """An authorization request asks for something else than a code."""


class InvalidScope(Malformed):
    """An authorization request means no credential that is issued here, or more than one type."""


class InvalidAuthorizationDetails(Malformed):
    """`authorization_details` cannot be read or names what is not issued here (RFC 9396 §5)."""


class InvalidTarget(Malformed):
    """`resource` names another issuer (RFC 8707 §2)."""


class InvalidRequestUri(NotPermitted):
    """The `request_uri` is unknown, of another client, expired, or was used (RFC 9126 §4)."""


class InvalidDpopProof(NotPermitted):
    """The DPoP proof does not verify (RFC 9449 §5)."""


class UseDpopNonce(NotPermitted):
    """The DPoP proof needs a nonce of ours, or a newer one (RFC 9449 §8, §9)."""


class InvalidToken(NotPermitted):
    """The access token is missing, unknown, expired, or bound to another key."""


class InvalidCredentialRequest(Malformed):
    """A credential request lacks a member or has an unusable one."""


class UnknownCredentialConfiguration(NotFound):
    """This token does not cover that credential configuration, or there is none of that name."""


class UnknownCredentialIdentifier(NotFound):
    """The token response named no such credential identifier."""


class InvalidProof(NotPermitted):
    """A key proof is missing or does not verify."""


class InvalidNonce(NotPermitted):
    """A key proof has a nonce that is unknown, used or expired; fetch a new one."""


class InvalidEncryptionParameters(Malformed):
    """A message is encrypted, or asks for encryption, in a way that we did not offer."""


class InvalidTransactionId(NotFound):
    """This token has no such deferred transaction, or its credentials were fetched."""


class CredentialRequestDenied(Conflict):
    """The credential cannot be issued under this token; trying again will not help."""


class InvalidNotificationId(NotFound):
    """No credential response of this token had that notification identifier."""


class InvalidNotificationRequest(Malformed):
    """A notification lacks a member or names an unknown event."""


_CODES: dict[type[Refusal], tuple[int, str]] = {
    InvalidRequest: (400, "invalid_request"),
    InvalidClient: (400, "invalid_client"),
    InvalidGrant: (400, "invalid_grant"),
    UnsupportedGrantType: (400, "unsupported_grant_type"),
    UnsupportedResponseType: (400, "unsupported_response_type"),
    InvalidScope: (400, "invalid_scope"),
    InvalidAuthorizationDetails: (400, "invalid_authorization_details"),
    InvalidTarget: (400, "invalid_target"),
    InvalidRequestUri: (400, "invalid_request_uri"),
    UseDpopNonce: (400, "use_dpop_nonce"),
    InvalidDpopProof: (400, "invalid_dpop_proof"),
    InvalidToken: (401, "invalid_token"),
    InvalidCredentialRequest: (400, "invalid_credential_request"),
    UnknownCredentialConfiguration: (400, "unknown_credential_configuration"),
    UnknownCredentialIdentifier: (400, "unknown_credential_identifier"),
    InvalidProof: (400, "invalid_proof"),
    InvalidNonce: (400, "invalid_nonce"),
    InvalidEncryptionParameters: (400, "invalid_encryption_parameters"),
    InvalidTransactionId: (400, "invalid_transaction_id"),
    CredentialRequestDenied: (400, "credential_request_denied"),
    InvalidNotificationId: (400, "invalid_notification_id"),
    InvalidNotificationRequest: (400, "invalid_notification_request"),
    Unavailable: (503, "temporarily_unavailable"),
}


@dataclass(frozen=True, slots=True)
class ProtocolError:
    """A refusal as it goes over the wire."""

    status: int
    body: JsonObject
    headers: dict[str, str]


def protocol_error(refusal: Refusal, *, otherwise: str, scheme: str = "Bearer") -> ProtocolError:
    """Render `refusal`.

    Args:
        refusal: what was refused.
        otherwise: code for a refusal that has none of its own, `invalid_request` for example.
        scheme: authentication scheme to ask for when the token was refused.
    """
    status, code = 400, otherwise
    for kind, (its_status, its_code) in _CODES.items():
        if isinstance(refusal, kind):
            status, code = its_status, its_code
            break
    description = ascii_description(refusal.detail)
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = f'{scheme} error="{code}", error_description="{description}"'
    elif status == 503:
        headers["Retry-After"] = "2"
    return ProtocolError(status, {"error": code, "error_description": description}, headers)


def ascii_description(text: str) -> str:
    """`text` within the characters that `error_description` may have (RFC 6749 §5.2)."""
    return "".join(
        char if " " <= char <= "~" and char not in '"\\' else "'" if char == '"' else "?"
        for char in text
    )
