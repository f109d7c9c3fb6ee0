"""The issuer's side: claims become digests (RFC 9901 §4.2)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from identity.core.jose import sign_compact
from identity.core.sd_jwt.format import (
    ELEMENT,
    RESERVED,
    SD,
    SD_ALG,
    ClaimNotThere,
    ClaimPath,
    SdJwtMalformed,
    digest_of,
    matches,
)
from identity.core.signing import Signer
from registry.core.encoding import JsonObject, base64url_encode, canonical_json

SALT_BYTES = 16  # RFC 9901 §9.3 asks for 128 bits


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
    if SD_ALG in claims:
        raise SdJwtMalformed("_sd_alg is not a claim")
    concealer = _Concealer(chosen, random)
    payload = concealer.conceal(claims, ())
    for path in chosen:
        if path not in concealer.used:
            raise ClaimNotThere("a path for selective disclosure leads nowhere")
    if decoys:
        digests = [*payload.get(SD, ()), *(digest_of(random(32).hex()) for _ in range(decoys))]
        payload[SD] = sorted(digests)
    payload[SD_ALG] = "sha-256"
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
            if RESERVED & set(value):
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
                kept[SD] = sorted(digests)  # the order would tell which claim is which
            return kept
        if isinstance(value, list):
            elements = []
            for index, element in enumerate(value):
                concealed = self.conceal(element, (*path, index))
                if self._is_chosen((*path, index)):
                    concealed = {ELEMENT: self._disclose([concealed])}
                elements.append(concealed)
            return elements
        return value

    def _is_chosen(self, path: tuple[str | int, ...]) -> bool:
        matching = [pattern for pattern in self.chosen if matches(pattern, path)]
        self.used.update(matching)
        return bool(matching)

    def _disclose(self, content: list[Any]) -> str:
        salt = base64url_encode(self.random(SALT_BYTES))
        disclosure = base64url_encode(canonical_json([salt, *content]))
        self.disclosures.append(disclosure)
        return digest_of(disclosure)
