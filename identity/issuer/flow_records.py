"""What the issuer keeps of flows that take more than one step: authorizations, deferred issuing."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Life of an authorization request."""

    PUSHED = "pushed"
    GRANTED = "granted"  # the citizen identified herself; a code is out
    USED = "used"  # the code was exchanged
    ENDED = "ended"  # refused, cancelled, or too many wrong answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """A pushed authorization request and what became of it. Secrets are digests.

    `offer` is the one that `issuer_state` named; `granted_offer` is what the code stands for.
    """

    request_digest: bytes
    agency: str
    client_id: str
    redirect_uri: str
    state: str | None
    code_challenge: str
    credential_type: str
    configurations: tuple[str, ...]
    with_identifiers: bool  # asked by authorization_details
    offer: str | None
    dpop_thumbprint: str | None
    attested: bool  # an attested wallet pushed it; its code is for such a one alone
    browser_digest: bytes | None
    stage: Stage
    tries: int
    granted_offer: str | None
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """Credentials that a wallet asked for and that its agency still has to decide on.

    `keys` are the proven keys as JSON: nonces were used up when they came.
    """

    digest: bytes
    agency: str
    offer: str
    configuration: str
    keys: str
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An offer that waits for its agency's decision."""

    offer: str
    subject: str
    credential_type: str
    created_at: int
    requested: bool  # a wallet has asked for the credential
