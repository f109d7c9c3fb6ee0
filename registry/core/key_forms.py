"""The two forms of a key in a DID document: Multikey, which is what we publish, and JWK.

A document holds each key once, under one id, in one form. Both at once would need a second id for
every key, and an id is what a signature names: two would make one key look like two signers. So
the form is chosen for the whole document, and the ids stay.
"""

from typing import Final

from registry.core.encoding import JsonObject
from registry.core.keys import PublicKey, parse_multikey

MULTIKEY = "Multikey"
JWK_FORMS = ("JsonWebKey", "JsonWebKey2020")  # Controlled Identifiers 1.0; what came before it
KEY_FORMS = (MULTIKEY, *JWK_FORMS)

FORM_CONTEXTS: Final = {
    "Multikey": "https://w3id.org/security/multikey/v1",
    "JsonWebKey": "https://w3id.org/security/jwk/v1",
    "JsonWebKey2020": "https://w3id.org/security/suites/jws-2020/v1",
}


def key_method(key: PublicKey, form: str, *, id: str, controller: str) -> JsonObject:
    """The verification method of a key in one of `KEY_FORMS`.

    Args:
        id: its absolute DID URL.
        controller: the DID whose document it stands in.
    """
    held = {"publicKeyMultibase": key.multikey} if form == MULTIKEY else {"publicKeyJwk": key.jwk}
    return {"id": id, "type": form, "controller": controller, **held}


def in_form(document: JsonObject, form: str) -> JsonObject:
    """A document of Multikeys with every key in another form; ids and all else as they are.

    Raises:
        KeyNotAdmitted: a key in it is none that we let in.
    """
    methods = document.get("verificationMethod")
    if form == MULTIKEY or not methods:
        return document
    contexts = [
        FORM_CONTEXTS[form] if context == FORM_CONTEXTS[MULTIKEY] else context
        for context in document["@context"]
    ]
    return {
        **document,
        "@context": contexts,
        "verificationMethod": [
            key_method(
                parse_multikey(method["publicKeyMultibase"]),
                form,
                id=method["id"],
                controller=method["controller"],
            )
            for method in methods
        ],
    }
