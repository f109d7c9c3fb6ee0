"""The holder's proof: that whoever presents a credential controls the key it was issued to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from identity.core import data_integrity, jose, mdoc, sd_jwt, vcdm
from identity.core.jsonld import ContextStore
from identity.core.verification.did_documents import (
    is_self_describing,
    key_of,
    sole_key_of,
)
from identity.core.verification.envelopes import (
    ANY_AGE_SECONDS,
    Envelope,
    identifier_of,
    issued_at,
    numeric_date,
    stated_in,
    verify_binding,
    verify_envelope,
)
from identity.core.verification.failure import CheckFailed, NothingToCheck
from identity.core.verification.presented import (
    Unverified,
    UnverifiedEnveloped,
    UnverifiedLinkedData,
    UnverifiedMdoc,
    UnverifiedSdJwtVc,
)
from identity.core.verification.proof import Proven, stated_binding
from registry.core.encoding import JsonObject
from registry.core.keys import PublicKey
from registry.core.refusals import Malformed, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How old a holder's proof may be, by which clock."""

    now: datetime  # aware, UTC
    max_age_seconds: int
    skew_seconds: int
    # Neither a JWT nor a Data Integrity proof of a presentation has to have a date (OpenID4VP 1.0
    # B.1.3): where its nonce is of a request of ours, which is answered once, it is fresh by that.
    needs_date: bool
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
    if isinstance(unverified, UnverifiedMdoc):
        # The device signs over the request itself: it answers this one, or nothing that is known.
        try:
            mdoc.verify_device_signed(unverified.document, handover=unverified.handover)
        except Refusal:
            return {}
        handover = unverified.handover
        return {"audience": handover.client_id, "nonce": handover.nonce}
    if unverified.presentation is None:
        return proven.stated
    return binding_of_presentation(unverified.presentation)


def binding_of_presentation(presentation: JsonObject | Envelope) -> Mapping[str, str]:
    """Audience and nonce that a presentation names; for comparison, not yet believed."""
    if not isinstance(presentation, Envelope):
        return stated_binding(presentation.get("proof"))
    return stated_in(presentation)


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
    elif isinstance(unverified, UnverifiedMdoc):
        mdoc.verify_device_signed(unverified.document, handover=unverified.handover)
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
        max_age_seconds=ANY_AGE_SECONDS,  # judged below, with a reason of its own
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
    if presentation is None:
        _verify_envelope_binding(unverified, freshness=freshness)
        return
    if not proven.subject and not freshness.accepts_anybody:
        raise CheckFailed("holder_key_missing", "the credential names no subject to be its holder")
    signed = prove_presentation(
        presentation, contexts=contexts, now=freshness.now, skew_seconds=freshness.skew_seconds
    )
    if freshness.accepts_anybody:
        return
    for did, made_at in zip(signed.dids, signed.made_at, strict=True):
        if not _is_one_holder(did, proven.subject):
            raise CheckFailed("holder_is_not_subject", "the presenter is not the subject")
        if made_at is not None:
            _check_age(made_at, freshness)
        elif freshness.needs_date:
            raise CheckFailed("holder_proof_undated", "the presentation's proof has no date")


def _is_one_holder(did: str, subject: str) -> bool:
    """Whether both DIDs are one, or say the same one key themselves.

    A did:jwk of a key has as many spellings as its JSON, and a did:key beside them: what an issuer
    made of a proven `jwk` need not be what the wallet calls itself.
    """
    if did == subject:
        return True
    if not (is_self_describing(did) and is_self_describing(subject)):
        return False
    try:
        return sole_key_of(did) == sole_key_of(subject)
    except Malformed:
        return False


def _verify_envelope_binding(
    unverified: UnverifiedLinkedData | UnverifiedEnveloped, *, freshness: Freshness
) -> None:
    """A W3C credential by itself is bound to a holder only as an SD-JWT with a key binding."""
    binding = None
    if isinstance(unverified, UnverifiedEnveloped):
        binding = verify_binding(unverified.envelope, now=int(freshness.now.timestamp()))
    if binding is None:
        raise NothingToCheck("holder_binding_missing", "there is no presentation with a proof")
    if not freshness.accepts_anybody:
        _check_age(binding.issued_at, freshness)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPresentation:
    """Who signed a presentation, and when: unix seconds, in the order of its proofs."""

    dids: tuple[str, ...]
    made_at: tuple[int | None, ...]


def prove_presentation(
    presentation: JsonObject | Envelope,
    *,
    contexts: ContextStore,
    now: datetime,
    skew_seconds: int,
) -> SignedPresentation:
    """Check form and proof of a presentation by itself.

    `skew_seconds` is how far the clock may differ by which a JWT says from when to when it holds.

    Raises:
        NothingToCheck: its form is fine, and it has no proof.
        Refusal: it is no presentation, its proof does not verify, or it names a holder who did not
            sign it.
    """
    if isinstance(presentation, Envelope):
        return _prove_envelope(presentation, contexts=contexts, now=now, skew_seconds=skew_seconds)
    vcdm.check_presentation(presentation, contexts=contexts)  # judged with or without a proof
    if "proof" not in presentation:
        raise NothingToCheck("holder_binding_missing", "there is no presentation with a proof")
    stated = stated_binding(presentation["proof"])
    proofs = data_integrity.verify_proofs(
        presentation,
        purpose="authentication",
        resolve_key=_holder_key,
        contexts=contexts,
        now=now,
        domain=stated.get("audience"),
        challenge=stated.get("nonce"),
    )
    dids = tuple(proof.verification_method.partition("#")[0] for proof in proofs)
    holder = _holder_of(presentation)  # VCALM: it matches the proof's verification method
    if holder and not any(_is_one_holder(did, holder) for did in dids):
        raise CheckFailed("holder_is_not_signer", "the presentation names another holder")
    return SignedPresentation(
        dids=dids,
        made_at=tuple(int(p.created.timestamp()) if p.created else None for p in proofs),
    )


def _prove_envelope(
    envelope: Envelope, *, contexts: ContextStore, now: datetime, skew_seconds: int
) -> SignedPresentation:
    method, seconds = envelope.key_id, int(now.timestamp())
    if not isinstance(method, str):
        raise CheckFailed("holder_key_unknown", "the presentation names no key")
    verify_envelope(envelope, key=_holder_key(method, "authentication"), now=seconds)
    if envelope.is_plain:
        vcdm.check_plain_presentation(envelope.document)
    else:
        vcdm.check_presentation(envelope.document, contexts=contexts)
    did = method.partition("#")[0]
    if _holder_of(envelope) not in ("", did) or envelope.claims.get("iss", did) != did:
        raise CheckFailed("holder_is_not_signer", "the presentation names another holder")
    ends, begins = numeric_date(envelope.claims, "exp"), numeric_date(envelope.claims, "nbf")
    if (ends is not None and ends <= seconds - skew_seconds) or (
        begins is not None and begins > seconds + skew_seconds
    ):
        raise CheckFailed("presentation_not_valid_now", "the presentation is not valid now")
    return SignedPresentation(dids=(did,), made_at=(issued_at(envelope.claims),))


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


def _holder_of(presentation: JsonObject | Envelope) -> str:
    document = presentation.document if isinstance(presentation, Envelope) else presentation
    name = identifier_of(document.get("holder", ""))
    return name if isinstance(name, str) else ""
