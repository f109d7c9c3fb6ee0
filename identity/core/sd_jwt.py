"""SD-JWT (RFC 9901): signatures first; bodies follow."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from identity.core.jose import UnverifiedJws
from identity.core.signing import Signer
from registry.core.encoding import JsonObject
from registry.core.keys import PublicKey

ClaimPath = tuple[str | int | None, ...]  # a name, an array index, or None: every element (DCQL)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedSdJwt:
    """The parts of a compact SD-JWT or SD-JWT+KB. Nothing here is to be believed yet."""

    jws: UnverifiedJws  # .header, .claims (the payload)
    issuer_jwt: str
    disclosures: tuple[str, ...]  # base64url texts as sent
    key_binding: str | None  # the KB-JWT


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSdJwt:
    header: JsonObject
    payload: JsonObject  # as signed, with digests
    claims: JsonObject  # processed payload: disclosed claims in place, no `_sd`, no `_sd_alg`
    disclosed: tuple[ClaimPath, ...]  # what came in by a disclosure


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedKeyBinding:
    audience: str
    nonce: str
    issued_at: int


def make_disclosures(
    claims: JsonObject,
    *,
    random: Callable[[int], bytes],
    paths: Collection[ClaimPath] | None = None,  # None: each top-level member
    decoys: int = 0,
) -> tuple[JsonObject, tuple[str, ...]]:
    """Returns (payload with `_sd` and `_sd_alg`, disclosures)."""
    raise NotImplementedError


def issue_sd_jwt(
    *, payload: JsonObject, disclosures: Sequence[str], header: JsonObject, signer: Signer
) -> str:
    raise NotImplementedError


def parse_sd_jwt(text: str) -> UnverifiedSdJwt:
    raise NotImplementedError


def verify_sd_jwt(
    unverified: UnverifiedSdJwt, *, key: PublicKey, typ: str | tuple[str, ...] = "dc+sd-jwt"
) -> VerifiedSdJwt:
    raise NotImplementedError


def verify_key_binding(
    unverified: UnverifiedSdJwt,
    *,
    holder_key: PublicKey,
    audience: str,
    nonce: str,
    now: int,
    max_age_seconds: int,
) -> VerifiedKeyBinding:
    """Raises `KeyBindingMissing` (a `KeyBindingNotValid`) when there is none."""
    raise NotImplementedError


def present(text: str, paths: Collection[ClaimPath]) -> str:
    """Keep the disclosures that `paths` need; no key binding."""
    raise NotImplementedError


def add_key_binding(
    presentation: str, *, signer: Signer, audience: str, nonce: str, issued_at: int
) -> str:
    raise NotImplementedError
