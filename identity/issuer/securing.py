"""Secures a checked credential in one of the ways that the VC API offers."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from identity.core import cose, jose, sd_jwt
from identity.core.data_integrity import add_base_proof, add_bbs_base_proof, add_proof
from identity.core.data_integrity.bbs_2023 import NAME as BBS_2023
from identity.core.data_integrity.bbs_2023 import BbsSigner
from identity.core.data_integrity.ecdsa_sd import DEFAULT_MANDATORY
from identity.core.data_integrity.ecdsa_sd import NAME as ECDSA_SD
from identity.core.data_integrity.selection import parse_pointer, select
from identity.core.deriving import pointers_of
from identity.core.jsonld import ContextStore
from identity.core.sd_jwt import ClaimPath
from identity.core.signing import Signer
from identity.core.vcdm import CREDENTIALS_V1, CREDENTIALS_V2
from identity.core.verification.envelopes import Securing
from registry.core.encoding import JsonObject, canonical_json
from registry.core.refusals import Malformed

DATA_INTEGRITY_V1 = "https://w3id.org/security/data-integrity/v1"
DATA_INTEGRITY_V2 = "https://w3id.org/security/data-integrity/v2"
VC_JWT, VC_SD_JWT, VC_COSE = "vc+jwt", "vc+sd-jwt", "vc+cose"
ENVELOPES = frozenset({VC_JWT, VC_SD_JWT, VC_COSE})


def secure(
    document: JsonObject,
    *,
    signer: Signer | BbsSigner,
    securing: str,
    options: Mapping[str, Any],
    contexts: ContextStore,
    random: Callable[[int], bytes],
    now: datetime,
) -> JsonObject:
    """Secure `document`, which passed `check_credential`.

    Args:
        document: left as it is.
        securing: a cryptosuite, or one of `ENVELOPES` for an enveloped credential.
        options: of the request; members that this way of securing does not know are ignored.

    Raises:
        OptionMalformed: `mandatoryPointers` is not an array of texts.
        Malformed: it cannot be secured this way.
    """
    if isinstance(signer, BbsSigner):
        if securing != BBS_2023:
            raise Malformed("a BBS key secures in one way only")
        return add_bbs_base_proof(
            document,
            signer=signer,
            created=now,
            purpose="assertionMethod",
            contexts=contexts,
            random=random,
            mandatory_pointers=_mandatory(document, options),
        )
    if securing == BBS_2023:
        raise Malformed("bbs-2023 needs a BBS key")
    if securing in ENVELOPES:
        return envelop(document, signer=signer, securing=securing, options=options, random=random)
    if securing != ECDSA_SD:
        return add_proof(
            document,
            signer=signer,
            cryptosuite=securing,
            created=now,
            purpose="assertionMethod",
            contexts=contexts,
        )
    return add_base_proof(
        document,
        signer=signer,
        created=now,
        purpose="assertionMethod",
        contexts=contexts,
        random=random,
        mandatory_pointers=_mandatory(document, options),
    )


def envelop(
    document: JsonObject,
    *,
    signer: Signer,
    securing: str,
    options: Mapping[str, Any],
    random: Callable[[int], bytes],
) -> JsonObject:
    """An `EnvelopedVerifiableCredential` around `document` (VC-JOSE-COSE §3).

    In an SD-JWT each member of the subject but `id` and `type` may be disclosed or not, except what
    `options.mandatoryPointers` name.
    """
    text = sign_enveloped(
        document,
        member="vc",
        securing=Securing(securing.removeprefix("vc+")),
        signer=signer,
        paths=_disclosable(document, options) if securing == VC_SD_JWT else [],
        random=random,
    )
    encoding = ";base64" if securing == VC_COSE else ""
    return {
        "@context": CREDENTIALS_V2,
        "type": "EnvelopedVerifiableCredential",
        "id": f"data:application/{securing}{encoding},{text}",
    }


def sign_enveloped(
    document: JsonObject,
    *,
    member: str,
    securing: Securing,
    signer: Signer,
    paths: Sequence[ClaimPath],
    random: Callable[[int], bytes],
) -> str:
    """A credential (`vc`) or presentation (`vp`) of version 2 as JWS, SD-JWT, or COSE in base64.

    Args:
        paths: what an SD-JWT lets its holder keep back; the others disclose all.

    Raises:
        Malformed: a document of version 1.1.
        ClaimNotThere: a path leads nowhere.
    """
    if document["@context"][0] != CREDENTIALS_V2:
        raise Malformed("enveloped documents are of version 2 of the data model")
    typ, key_id = f"{member}+{securing}", signer.verification_method
    if securing is Securing.COSE:
        message = cose.sign_sign1(
            protected={
                cose.CONTENT_TYPE: f"application/{member}",
                cose.KID: key_id.encode("utf-8"),
                cose.TYP: f"application/{typ}",
            },
            payload=canonical_json(document),
            signer=signer,
        )
        return b64encode(message).decode("ascii")
    header = {"typ": typ, "cty": member, "kid": key_id}
    if securing is Securing.JWT:
        return jose.sign_compact(header=header, payload=document, signer=signer)
    payload, disclosures = sd_jwt.make_disclosures(document, random=random, paths=paths)
    return sd_jwt.issue_sd_jwt(
        payload=payload, disclosures=disclosures, header=header, signer=signer
    )


def _disclosable(document: JsonObject, options: Mapping[str, Any]) -> list[ClaimPath]:
    asked = options.get("mandatoryPointers")
    pointers = pointers_of(asked) if asked is not None else []
    select(document, pointers)  # refuses one that points to nothing
    mandatory = [tuple(parse_pointer(pointer)) for pointer in pointers]
    subject = document["credentialSubject"]
    if not isinstance(subject, dict) or {(), ("credentialSubject",)} & set(mandatory):
        return []
    paths: list[ClaimPath] = [
        ("credentialSubject", name) for name in subject if name not in ("id", "type", "@context")
    ]
    return [path for path in paths if path not in [steps[:2] for steps in mandatory]]


def with_proof_context(document: JsonObject) -> JsonObject:
    """A VCDM 1.1 document gets the context that defines `DataIntegrityProof`; 2.0 has it."""
    contexts = document.get("@context")
    if not isinstance(contexts, list) or CREDENTIALS_V1 not in contexts[:1]:
        return document
    if DATA_INTEGRITY_V1 in contexts or DATA_INTEGRITY_V2 in contexts:
        return document
    return {**document, "@context": [*contexts, DATA_INTEGRITY_V2]}


def _mandatory(document: JsonObject, options: Mapping[str, Any]) -> list[str]:
    asked = options.get("mandatoryPointers")
    return ([] if asked is None else pointers_of(asked)) or _default_pointers(document)


def _default_pointers(document: JsonObject) -> list[str]:
    """What no reader can do without: the issuer, and the date that version 1.1 demands."""
    dated = document["@context"][0] == CREDENTIALS_V1 and "issuanceDate" in document
    return [*DEFAULT_MANDATORY, *(["/issuanceDate"] if dated else [])]
