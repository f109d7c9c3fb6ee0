"""Selective Disclosure for JWTs (RFC 9901), compact form: issuer, holder and verifier.

    <issuer-signed JWT>~<Disclosure>~...~<Disclosure>~[<KB-JWT>]

The libraries in the field forgive what the RFC forbids (disclosures that no digest names, digests
named twice); a verifier that does so shows claims that nobody signed. Everything here is refused by
default and accepted by rule.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from identity.core.jose import (
    UnverifiedJws,
    parse_compact,
    sign_compact,
    verify_compact,
)
from identity.core.signing import Signer
from registry.core.encoding import (
    MAX_JSON_DEPTH,
    JsonObject,
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json,
)
from registry.core.keys import PublicKey
from registry.core.refusals import Malformed, NotPermitted

ClaimPath = tuple[str | int | None, ...]
"""Member names and array indices; None stands for every element of an array (OpenID4VP §7)."""

MAX_SD_JWT_CHARS = 512 << 10  # with a portrait and all disclosures
MAX_DISCLOSURES = 512
SALT_BYTES = 16  # RFC 9901 §9.3 asks for 128 bits

KEY_BINDING_TYP = "kb+jwt"
CLOCK_SKEW_SECONDS = 60  # how far ahead of ours a holder's clock may be

_SD = "_sd"
_SD_ALG = "_sd_alg"
_ELEMENT = "..."
_RESERVED = frozenset({_SD, _ELEMENT})
_HASHES = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}


class SdJwtMalformed(Malformed):
    """The text is no SD-JWT, or its digests and disclosures break a rule of RFC 9901 §7.1."""


class ClaimNotThere(Malformed):
    """A path names a claim that the credential does not have."""


class KeyBindingNotValid(NotPermitted):
    """The key binding is for another audience, nonce, moment or presentation."""


class KeyBindingMissing(KeyBindingNotValid):
    """Key binding is required and was not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedSdJwt:
    """The parts of an SD-JWT or SD-JWT+KB. Nothing here is to be believed yet."""

    jws: UnverifiedJws
    issuer_jwt: str
    disclosures: tuple[str, ...]  # base64url texts, as sent and in that order
    key_binding: str | None

    @property
    def without_key_binding(self) -> str:
        """What `sd_hash` covers: everything up to and including the last `~` (§4.3.1)."""
        return "~".join((self.issuer_jwt, *self.disclosures, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSdJwt:
    """An SD-JWT whose signature and disclosures verified; validity in time is not judged here."""

    header: JsonObject
    payload: JsonObject  # as signed, digests and all
    claims: JsonObject  # processed payload: disclosed claims in place, no digests
    disclosed: tuple[ClaimPath, ...]  # where in `claims` a disclosure put something


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedKeyBinding:
    """Proof that the holder's key made this very presentation for this audience and nonce."""

    audience: str
    nonce: str
    issued_at: int  # unix seconds, by the holder's clock


# Issuer


def make_disclosures(
    claims: JsonObject,
    *,
    random: Callable[[int], bytes],
    paths: Collection[ClaimPath] | None = None,
    decoys: int = 0,
) -> tuple[JsonObject, tuple[str, ...]]:
    """Replace claims by digests (§4.2).

    Args:
        claims: in clear; left as they are.
        random: returns that many random bytes.
        paths: what becomes selectively disclosable; None means each top-level member. A path and a
            longer one below it make recursive disclosures.
        decoys: digests at the top level that stand for nothing.

    Returns:
        The payload with `_sd`, `...` and `_sd_alg`, and the disclosures, outer before inner.

    Raises:
        SdJwtMalformed: a claim is called `_sd` or `...`, or `_sd_alg` at the top.
        ClaimNotThere: a path that leads nowhere.
    """
    chosen = [(name,) for name in claims] if paths is None else list(paths)
    if _SD_ALG in claims:
        raise SdJwtMalformed("_sd_alg is not a claim")
    concealer = _Concealer(chosen, random)
    payload = concealer.conceal(claims, ())
    for path in chosen:
        if path not in concealer.used:
            raise ClaimNotThere("a path for selective disclosure leads nowhere")
    if decoys:
        digests = [*payload.get(_SD, ()), *(_digest(random(32).hex()) for _ in range(decoys))]
        payload[_SD] = sorted(digests)
    payload[_SD_ALG] = "sha-256"
    return payload, tuple(reversed(concealer.disclosures))


def issue_sd_jwt(
    *, payload: JsonObject, disclosures: Sequence[str], header: JsonObject, signer: Signer
) -> str:
    """Sign a payload made with `make_disclosures`; the result has every disclosure and no KB."""
    jwt = sign_compact(header=header, payload=payload, signer=signer)
    return "~".join((jwt, *disclosures, ""))


@dataclass(slots=True)
class _Concealer:
    chosen: Sequence[ClaimPath]
    random: Callable[[int], bytes]
    used: set[ClaimPath] = field(default_factory=set)
    disclosures: list[str] = field(default_factory=list)  # inner before outer

    def conceal(self, value: Any, path: tuple[str | int, ...]) -> Any:
        if isinstance(value, dict):
            if _RESERVED & set(value):
                raise SdJwtMalformed("_sd and ... cannot be names of claims")
            kept: JsonObject = {}
            digests = []
            for name, member in value.items():
                concealed = self.conceal(member, (*path, name))
                if self._is_chosen((*path, name)):
                    digests.append(self._disclose([name, concealed]))
                else:
                    kept[name] = concealed
            if digests:
                kept[_SD] = sorted(digests)  # the order would tell which claim is which
            return kept
        if isinstance(value, list):
            elements = []
            for index, element in enumerate(value):
                concealed = self.conceal(element, (*path, index))
                if self._is_chosen((*path, index)):
                    concealed = {_ELEMENT: self._disclose([concealed])}
                elements.append(concealed)
            return elements
        return value

    def _is_chosen(self, path: tuple[str | int, ...]) -> bool:
        matching = [pattern for pattern in self.chosen if _matches(pattern, path)]
        self.used.update(matching)
        return bool(matching)

    def _disclose(self, content: list[Any]) -> str:
        salt = base64url_encode(self.random(SALT_BYTES))
        disclosure = base64url_encode(canonical_json([salt, *content]))
        self.disclosures.append(disclosure)
        return _digest(disclosure)


# Holder


def present(text: str, paths: Collection[ClaimPath]) -> str:
    """Keep the disclosures that `paths` need: those on the way, and all below the value.

    The result has no key binding; see `add_key_binding`.

    Raises:
        ClaimNotThere: a path leads nowhere.
        SdJwtMalformed: as `parse_sd_jwt`, or the disclosures do not fit the digests.
    """
    unverified = parse_sd_jwt(text)
    opened = _open(unverified)
    needed: set[str] = set()
    for path in paths:
        found = False
        for place, disclosures in opened.places:
            # On the way to it (in `disclosures`), the value itself, or anything below it.
            if _matches(path, place[: len(path)]):
                found = True
                needed.update(disclosures)
        if not found:
            raise ClaimNotThere("the credential has no claim at that path")
    kept = [disclosure for disclosure in unverified.disclosures if disclosure in needed]
    return "~".join((unverified.issuer_jwt, *kept, ""))


def add_key_binding(
    presentation: str, *, signer: Signer, audience: str, nonce: str, issued_at: int
) -> str:
    """Append a KB-JWT (§4.3) over exactly this presentation."""
    unverified = parse_sd_jwt(presentation)
    if unverified.key_binding is not None:
        raise SdJwtMalformed("the presentation has a key binding already")
    payload = {
        "iat": issued_at,
        "aud": audience,
        "nonce": nonce,
        "sd_hash": _digest(presentation, _hash_name(unverified.jws.claims)),
    }
    header = {"typ": KEY_BINDING_TYP}
    return presentation + sign_compact(header=header, payload=payload, signer=signer)


# Verifier


def parse_sd_jwt(text: str) -> UnverifiedSdJwt:
    """Take a compact SD-JWT or SD-JWT+KB apart (§4).

    Raises:
        SdJwtMalformed: no text, too long, no `~`, or too many disclosures.
        JwsMalformed: the issuer-signed part is no compact JWS.
    """
    if not isinstance(text, str) or len(text) > MAX_SD_JWT_CHARS:
        raise SdJwtMalformed("SD-JWT is no text, or too long")
    issuer_jwt, *disclosures = text.split("~")
    if not disclosures:
        raise SdJwtMalformed("SD-JWT has no ~")
    key_binding = disclosures.pop()
    if len(disclosures) > MAX_DISCLOSURES:
        raise SdJwtMalformed(f"SD-JWT has more than {MAX_DISCLOSURES} disclosures")
    return UnverifiedSdJwt(
        jws=parse_compact(issuer_jwt),
        issuer_jwt=issuer_jwt,
        disclosures=tuple(disclosures),
        key_binding=key_binding or None,
    )


def verify_sd_jwt(
    unverified: UnverifiedSdJwt, *, key: PublicKey, typ: str | tuple[str, ...] = "dc+sd-jwt"
) -> VerifiedSdJwt:
    """Check the issuer's signature and every disclosure (§7.1).

    Says nothing about time or about who presents; see `verify_key_binding`.

    Raises:
        JwsNotAccepted, SignatureNotValid: another type, algorithm or key.
        SdJwtMalformed: an unknown `_sd_alg`; a digest named twice; a disclosure that repeats, that
            no digest names, or is of the wrong form; a claim that exists already; `_sd` or `...`
            where they do not belong.
    """
    jws = verify_compact(unverified.jws, key=key, typ=typ)
    opened = _open(unverified)
    return VerifiedSdJwt(
        header=jws.header,
        payload=jws.claims,
        claims=opened.claims,
        disclosed=tuple(opened.disclosed),
    )


def verify_key_binding(
    unverified: UnverifiedSdJwt,
    *,
    holder_key: PublicKey,
    audience: str,
    nonce: str,
    now: int,
    max_age_seconds: int,
) -> VerifiedKeyBinding:
    """Check the KB-JWT (§7.3 step 5).

    Args:
        unverified: the presentation as it came.
        holder_key: `cnf.jwk` of the *verified* credential.
        audience: who we are, in the words of our request.
        nonce: the nonce of our request.
        now: unix seconds.
        max_age_seconds: how old `iat` may be.

    Raises:
        KeyBindingMissing: there is none.
        KeyBindingNotValid: other audience, nonce or disclosures, or too old, or from the future.
        JwsNotAccepted, SignatureNotValid: another type, algorithm or key.
    """
    if unverified.key_binding is None:
        raise KeyBindingMissing("presentation has no key binding")
    claims = verify_compact(unverified.key_binding, key=holder_key, typ=KEY_BINDING_TYP).claims
    issued_at = claims.get("iat")
    if not isinstance(issued_at, int) or isinstance(issued_at, bool):
        raise KeyBindingNotValid("key binding has no iat")
    if not now - max_age_seconds <= issued_at <= now + CLOCK_SKEW_SECONDS:
        raise KeyBindingNotValid("key binding is too old, or from the future")
    if claims.get("aud") != audience:
        raise KeyBindingNotValid("key binding is for another audience")
    if not isinstance(claims.get("nonce"), str) or not hmac.compare_digest(
        claims["nonce"].encode("utf-8"), nonce.encode("utf-8")
    ):
        raise KeyBindingNotValid("key binding answers another nonce")
    expected = _digest(unverified.without_key_binding, _hash_name(unverified.jws.claims))
    if claims.get("sd_hash") != expected:
        raise KeyBindingNotValid("key binding is for other disclosures")
    return VerifiedKeyBinding(audience=audience, nonce=nonce, issued_at=issued_at)


# Digests and disclosures


def _open(unverified: UnverifiedSdJwt) -> "_Opener":
    """Put every disclosure into its place, or refuse (§7.1 step 3)."""
    payload = unverified.jws.claims
    opener = _Opener(_by_digest(unverified.disclosures, _hash_name(payload)))
    payload.pop(_SD_ALG, None)
    opener.claims = opener.process(payload, (), (), 1)
    if opener.pending:
        raise SdJwtMalformed("a disclosure is named by no digest")
    return opener


class _Opener:
    """Walks the payload; `pending` shrinks as digests find their disclosures."""

    def __init__(self, pending: dict[str, str]) -> None:
        self.pending = pending
        self.claims: JsonObject = {}
        self.disclosed: list[ClaimPath] = []
        self.places: list[tuple[tuple[str | int, ...], tuple[str, ...]]] = []
        self._seen: set[str] = set()

    def process(
        self, value: Any, path: tuple[str | int, ...], on_the_way: tuple[str, ...], depth: int
    ) -> Any:
        """`value` with its disclosures in place; `on_the_way` are those that led here."""
        if depth > MAX_JSON_DEPTH:
            raise SdJwtMalformed("disclosures nest too deep")
        if path:
            self.places.append((path, on_the_way))
        if isinstance(value, dict):
            return self._process_object(value, path, on_the_way, depth)
        if isinstance(value, list):
            return self._process_array(value, path, on_the_way, depth)
        return value

    def _process_object(
        self,
        value: JsonObject,
        path: tuple[str | int, ...],
        on_the_way: tuple[str, ...],
        depth: int,
    ) -> JsonObject:
        if _ELEMENT in value:  # as an array element it was taken before it came here
            raise SdJwtMalformed("... is not the name of a claim")
        result = {
            name: self.process(member, (*path, name), on_the_way, depth + 1)
            for name, member in value.items()
            if name != _SD
        }
        digests = value.get(_SD, [])
        if not isinstance(digests, list):
            raise SdJwtMalformed("_sd is not an array")
        for digest in digests:
            disclosure = self._take(digest)
            if disclosure is None:
                continue  # a decoy, or not disclosed
            content = _content(disclosure)
            if len(content) != 3 or not isinstance(content[1], str):
                raise SdJwtMalformed("a disclosure of a claim is not salt, name and value")
            name = content[1]
            if name in _RESERVED or (name == _SD_ALG and not path) or name in value:
                raise SdJwtMalformed("a disclosure names a claim that exists, or cannot be one")
            if name in result:
                raise SdJwtMalformed("two disclosures name the same claim")
            self.disclosed.append((*path, name))
            way = (*on_the_way, disclosure)
            result[name] = self.process(content[2], (*path, name), way, depth + 1)
        return result

    def _process_array(
        self, value: list[Any], path: tuple[str | int, ...], on_the_way: tuple[str, ...], depth: int
    ) -> list[Any]:
        result: list[Any] = []
        for element in value:
            way = on_the_way
            place = (*path, len(result))
            if isinstance(element, dict) and set(element) == {_ELEMENT}:
                disclosure = self._take(element[_ELEMENT])
                if disclosure is None:
                    continue  # §7.1 step 3d: elements that are not disclosed vanish
                content = _content(disclosure)
                if len(content) != 2:
                    raise SdJwtMalformed("a disclosure of an array element is not salt and value")
                element = content[1]
                way = (*on_the_way, disclosure)
                self.disclosed.append(place)
            result.append(self.process(element, place, way, depth + 1))
        return result

    def _take(self, digest: Any) -> str | None:
        if not isinstance(digest, str):
            raise SdJwtMalformed("a digest is not text")
        if digest in self._seen:
            raise SdJwtMalformed("a digest occurs twice")
        self._seen.add(digest)
        return self.pending.pop(digest, None)


def _by_digest(disclosures: Sequence[str], hash_name: str) -> dict[str, str]:
    by_digest = {_digest(disclosure, hash_name): disclosure for disclosure in disclosures}
    if len(by_digest) != len(disclosures):
        raise SdJwtMalformed("a disclosure occurs twice")
    return by_digest


def _content(disclosure: str) -> list[Any]:
    try:
        content = parse_json(base64url_decode(disclosure))
    except Malformed as error:
        raise SdJwtMalformed(f"disclosure: {error.detail}") from error
    if not isinstance(content, list) or not content or not isinstance(content[0], str):
        raise SdJwtMalformed("a disclosure is not an array that begins with a salt")
    return content


def _hash_name(payload: Mapping[str, Any]) -> str:
    name = payload.get(_SD_ALG, "sha-256")
    if not isinstance(name, str) or name not in _HASHES:
        raise SdJwtMalformed("_sd_alg is not known here")
    return _HASHES[name]


def _digest(text: str, hash_name: str = "sha256") -> str:
    """base64url of the hash over the ASCII text (§4.2.3); text beyond ASCII is refused."""
    try:
        return base64url_encode(hashlib.new(hash_name, text.encode("ascii")).digest())
    except UnicodeEncodeError as error:
        raise SdJwtMalformed("a disclosure is not base64url") from error


def _matches(pattern: ClaimPath, path: tuple[str | int, ...]) -> bool:
    if len(pattern) != len(path):
        return False
    return all(
        isinstance(step, int) if wanted is None else type(wanted) is type(step) and wanted == step
        for wanted, step in zip(pattern, path, strict=True)
    )
