"""JSON-LD: signatures first; bodies follow."""

from collections.abc import Mapping
from typing import Any

from registry.core.encoding import JsonObject


class ContextStore:
    """The JSON-LD contexts that exist for us; any other URL is refused at once."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        """`documents`: URL -> parsed context document ({"@context": ...})."""
        raise NotImplementedError


def expand(document: JsonObject, contexts: ContextStore) -> list[Any]:
    """Safe-mode expansion; refuses undefined terms and types, relative URLs."""
    raise NotImplementedError
