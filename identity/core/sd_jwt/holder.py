"""The holder's side: choosing what to show, and binding it to a key (RFC 9901 §4.3, §7.2)."""

from collections.abc import Collection

from identity.core.jose import sign_compact
from identity.core.sd_jwt.format import (
    KEY_BINDING_TYP,
    ClaimNotThere,
    ClaimPath,
    SdJwtMalformed,
    digest_of,
    hash_name_of,
    matches,
    parse_sd_jwt,
)
from identity.core.sd_jwt.opening import open_disclosures
from identity.core.signing import Signer


def present(text: str, paths: Collection[ClaimPath]) -> str:
    """Keep the disclosures that `paths` need: those on the way, and all below the value.

    The result has no key binding; see `add_key_binding`.

    Raises:
        ClaimNotThere: a path leads nowhere.
        SdJwtMalformed: as `parse_sd_jwt`, or the disclosures do not fit the digests.
    """
    unverified = parse_sd_jwt(text)
    opened = open_disclosures(unverified)
    needed: set[str] = set()
    for path in paths:
        found = False
        for place, disclosures in opened.places:
            # On the way to it (in `disclosures`), the value itself, or anything below it.
            if matches(path, place[: len(path)]):
                found = True
                needed.update(disclosures)
        if not path or not found:
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
        "sd_hash": digest_of(presentation, hash_name_of(unverified.jws.claims)),
    }
    header = {"typ": KEY_BINDING_TYP}
    return presentation + sign_compact(header=header, payload=payload, signer=signer)
