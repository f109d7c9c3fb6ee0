"""Putting disclosures into their places (RFC 9901 §7.1 step 3): the rules that forgeries break."""

from collections.abc import Sequence
from typing import Any

from identity.core.sd_jwt.format import (
    ELEMENT,
    RESERVED,
    SD,
    SD_ALG,
    ClaimPath,
    SdJwtMalformed,
    UnverifiedSdJwt,
    digest_of,
    hash_name_of,
)
from registry.core.encoding import MAX_JSON_DEPTH, JsonObject, base64url_decode, parse_json
from registry.core.refusals import Malformed


def open_disclosures(unverified: UnverifiedSdJwt) -> "Opener":
    """Put every disclosure into its place, or refuse (§7.1 step 3)."""
    payload = unverified.jws.claims
    opener = Opener(_by_digest(unverified.disclosures, hash_name_of(payload)))
    payload.pop(SD_ALG, None)
    opener.claims = opener.process(payload, (), (), 1)
    if opener.pending:
        raise SdJwtMalformed("a disclosure is named by no digest")
    return opener


class Opener:
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
        if depth > MAX_JSON_DEPTH + 1:  # a scalar stands one below what holds it
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
        if ELEMENT in value:  # as an array element it was taken before it came here
            raise SdJwtMalformed("... is not the name of a claim")
        result = {
            name: self.process(member, (*path, name), on_the_way, depth + 1)
            for name, member in value.items()
            if name != SD
        }
        digests = value.get(SD, [])
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
            if name in RESERVED or (name == SD_ALG and not path) or name in value:
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
            if isinstance(element, dict) and set(element) == {ELEMENT}:
                disclosure = self._take(element[ELEMENT])
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
    by_digest = {digest_of(disclosure, hash_name): disclosure for disclosure in disclosures}
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
