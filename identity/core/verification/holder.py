"""The holder's proof: that whoever presents a credential controls the key it was issued to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from identity.core import data_integrity, jose, sd_jwt, vcdm
from identity.core.jsonld import ContextStore
from identity.core.verification.did_documents import key_of
from identity.core.verification.failure import CheckFailed, NothingToCheck
from identity.core.verification.presented import (
    Unverified,
    UnverifiedEnveloped,
    UnverifiedLinkedData,
    UnverifiedSdJwtVc,
)
from identity.core.verification.proof import Proven, stated_binding
from registry.core.encoding import JsonObject
from registry.core.keys import PublicKey
from registry.core.refusals import Malformed

_ANY_AGE_SECONDS = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How old a holder's proof may be, by which clock."""

    now: datetime  # aware, UTC
    max_age_seconds: int
    skew_seconds: int
    accepts_anybody: bool  # conformance runs: test vectors are old, and their holders strangers


def binding_of(unverified: Unverified, proven: Proven) -> Mapping[str, str]:
    """Audience and nonce that the holder's proof names; for comparison, not yet believed.

    A credential presented by itself may have a proof of its issuer that names them.
    """
    if isinstance(unverified, UnverifiedSdJwtVc):
        key_binding = unverified.sd_jwt.key_binding
        if key_binding is None:
            return {}
        claims = jose.parse_compact(key_binding).claims
        named = {"audience": claims.get("aud"), "nonce": claims.get("nonce")}
        return {name: value for name, value in named.items() if isinstance(value, str)}
    if unverified.presentation is None:
        return proven.stated
    return stated_binding(unverified.presentation.get("proof"))


def verify_holder(
    unverified: Unverified, proven: Proven, *, contexts: ContextStore, freshness: Freshness
) -> None:
    """Check the holder's proof under the key that the issuer bound the credential to.

    Whether it was made for this relying party is the check `audience`.

    Raises:
        NothingToCheck: there is no holder's proof.
        Refusal: it is not by the holder's key, too old, or not over this presentation.
    """
    if isinstance(unverified, UnverifiedSdJwtVc):
        _verify_key_binding(unverified, proven, freshness=freshness)
    else:
        _verify_presentation(unverified, proven, contexts=contexts, freshness=freshness)


def _verify_key_binding(
    unverified: UnverifiedSdJwtVc, proven: Proven, *, freshness: Freshness
) -> None:
    if unverified.sd_jwt.key_binding is None:
        raise NothingToCheck("holder_binding_missing", "there is no key binding by the holder")
    if proven.holder_key is None:
        raise CheckFailed("holder_key_missing", "the credential is bound to no holder key")
    stated = binding_of(unverified, proven)
    if set(stated) != {"audience", "nonce"}:
        raise CheckFailed("holder_binding_incomplete", "the key binding names no audience or nonce")
    verified = sd_jwt.verify_key_binding(
        unverified.sd_jwt,
        holder_key=proven.holder_key,
        audience=stated["audience"],
        nonce=stated["nonce"],
        now=int(freshness.now.timestamp()),
        max_age_seconds=_ANY_AGE_SECONDS,  # judged below, with a reason of its own
    )
    _check_age(verified.issued_at, freshness)


def _verify_presentation(
    unverified: UnverifiedLinkedData | UnverifiedEnveloped,
    proven: Proven,
    *,
    contexts: ContextStore,
    freshness: Freshness,
) -> None:
    presentation = unverified.presentation
    if presentation is not None:  # its form is judged even where its proof may be missing
        vcdm.check_presentation(presentation, contexts=contexts)
    if presentation is None or "proof" not in presentation:
        raise NothingToCheck("holder_binding_missing", "there is no presentation with a proof")
    if not proven.subject and not freshness.accepts_anybody:
        raise CheckFailed("holder_key_missing", "the credential names no subject to be its holder")
    stated = stated_binding(presentation["proof"])
    proofs = data_integrity.verify_proofs(
        presentation,
        purpose="authentication",
        resolve_key=_holder_key,
        contexts=contexts,
        now=freshness.now,
        domain=stated.get("audience"),
        challenge=stated.get("nonce"),
    )
    if freshness.accepts_anybody:
        return
    for proof in proofs:
        if proof.verification_method.partition("#")[0] != proven.subject:
            raise CheckFailed("holder_is_not_subject", "the presenter is not the subject")
        if proof.created is None:
            raise CheckFailed("holder_proof_undated", "the presentation's proof has no date")
        _check_age(int(proof.created.timestamp()), freshness)
    if _holder_of(presentation) not in ("", proven.subject):
        raise CheckFailed("holder_is_not_subject", "the presentation names another holder")


def _holder_key(method: str, _purpose: str) -> PublicKey:
    """Holders have DIDs that describe themselves; nobody is asked who they are."""
    try:
        return key_of(method)
    except Malformed as refusal:
        raise CheckFailed("holder_key_unknown", "the holder's key describes itself") from refusal


def _check_age(made_at: int, freshness: Freshness) -> None:
    age = int(freshness.now.timestamp()) - made_at
    if age > freshness.max_age_seconds + freshness.skew_seconds:
        raise CheckFailed("holder_proof_too_old", "the holder's proof is too old")
    if age < -freshness.skew_seconds:
        raise CheckFailed("holder_proof_in_future", "the holder's proof is from the future")


def _holder_of(presentation: JsonObject) -> str:
    holder = presentation.get("holder", "")
    name = holder.get("id", "") if isinstance(holder, dict) else holder
    return name if isinstance(name, str) else ""
