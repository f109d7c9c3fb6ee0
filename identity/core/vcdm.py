"""VCDM structural rules: signatures first; bodies follow."""

from identity.core.jsonld import ContextStore
from registry.core.encoding import JsonObject


def check_credential(document: JsonObject, *, contexts: ContextStore) -> None:
    """VCDM 2.0 / 1.1 form, and no data loss in JSON-LD. Raises `CredentialMalformed`."""
    raise NotImplementedError


def check_presentation(document: JsonObject, *, contexts: ContextStore) -> None:
    """Form of the presentation alone; its credentials are checked one by one."""
    raise NotImplementedError
