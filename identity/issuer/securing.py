"""Secures a checked credential in one of the ways that the VC API offers."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from identity.core import jose
from identity.core.data_integrity import add_base_proof, add_proof
from identity.core.data_integrity.ecdsa_sd import DEFAULT_MANDATORY
from identity.core.data_integrity.ecdsa_sd import NAME as ECDSA_SD
from identity.core.deriving import pointers_of
from identity.core.jsonld import ContextStore
from identity.core.signing import Signer
from identity.core.vcdm import CREDENTIALS_V1, CREDENTIALS_V2
from registry.core.encoding import JsonObject
from registry.core.refusals import Malformed

DATA_INTEGRITY_V1 = "https://w3id.org/security/data-integrity/v1"
DATA_INTEGRITY_V2 = "https://w3id.org/security/data-integrity/v2"
VC_JWT = "vc+jwt"


def secure(
    document: JsonObject,
    *,
    signer: Signer,
    securing: str,
    options: Mapping[str, Any],
    contexts: ContextStore,
    random: Callable[[int], bytes],
    now: datetime,
) -> JsonObject:
    """Secure `document`, which passed `check_credential`.

    Args:
        document: left as it is.
        securing: a cryptosuite, or `vc+jwt` for an enveloped credential.
        options: of the request; members that this way of securing does not know are ignored.

    Raises:
        OptionMalformed: `mandatoryPointers` is not an array of texts.
        Malformed: it cannot be secured this way.
    """
    if securing == VC_JWT:
        return envelop(document, signer=signer)
    if securing != ECDSA_SD:
        return add_proof(
            document,
            signer=signer,
            cryptosuite=securing,
            created=now,
            purpose="assertionMethod",
            contexts=contexts,
        )
    asked = options.get("mandatoryPointers")
    pointers = [] if asked is None else pointers_of(asked)
    return add_base_proof(
        document,
        signer=signer,
        created=now,
        purpose="assertionMethod",
        contexts=contexts,
        random=random,
        mandatory_pointers=pointers or _default_pointers(document),
    )


def envelop(document: JsonObject, *, signer: Signer) -> JsonObject:
    """An `EnvelopedVerifiableCredential` around a JWS of `document` (VC-JOSE-COSE §3.1)."""
    if document["@context"][0] != CREDENTIALS_V2:
        raise Malformed("enveloped credentials are of version 2 of the data model")
    text = jose.sign_compact(
        header={"typ": VC_JWT, "cty": "vc", "kid": signer.verification_method},
        payload=document,
        signer=signer,
    )
    return {
        "@context": CREDENTIALS_V2,
        "type": "EnvelopedVerifiableCredential",
        "id": f"data:application/vc+jwt,{text}",
    }


def with_proof_context(document: JsonObject) -> JsonObject:
    """A VCDM 1.1 document gets the context that defines `DataIntegrityProof`; 2.0 has it."""
    contexts = document.get("@context")
    if not isinstance(contexts, list) or CREDENTIALS_V1 not in contexts[:1]:
        return document
    if DATA_INTEGRITY_V1 in contexts or DATA_INTEGRITY_V2 in contexts:
        return document
    return {**document, "@context": [*contexts, DATA_INTEGRITY_V2]}


def _default_pointers(document: JsonObject) -> list[str]:
    """What no reader can do without: the issuer, and the date that version 1.1 demands."""
    dated = document["@context"][0] == CREDENTIALS_V1 and "issuanceDate" in document
    return [*DEFAULT_MANDATORY, *(["/issuanceDate"] if dated else [])]
