"""`credentials/derive` of the VC API: a holder's part of a credential with a base proof."""

from collections.abc import Callable, Mapping
from typing import Any

from identity.core.data_integrity import derive_proof
from identity.core.jsonld import ContextStore
from registry.core.encoding import JsonObject
from registry.core.refusals import Malformed

MAX_POINTERS = 256


class OptionMalformed(Malformed):
    """An option of the VC API is not of the form that is read here."""


def derive(
    base: JsonObject,
    options: Mapping[str, Any],
    *,
    contexts: ContextStore,
    random: Callable[[int], bytes],
) -> JsonObject:
    """What `options.selectivePointers` select of a credential with a base proof.

    Raises:
        OptionMalformed: `selectivePointers` is not an array of texts.
        Malformed: no base proof, or a pointer that leads nowhere.
    """
    pointers = pointers_of(options.get("selectivePointers", []))
    return derive_proof(base, selective_pointers=pointers, contexts=contexts, random=random)


def pointers_of(value: object) -> list[str]:
    """An array of JSON pointers, each a text; whether they lead anywhere is judged later.

    Raises:
        OptionMalformed: something else, or too many.
    """
    if (
        not isinstance(value, list)
        or len(value) > MAX_POINTERS
        or not all(isinstance(item, str) for item in value)
    ):
        raise OptionMalformed(f"pointers are an array of at most {MAX_POINTERS} texts")
    return value
