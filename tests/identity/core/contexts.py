"""The bundled JSON-LD contexts, for tests."""

import json
from functools import cache
from importlib.resources import files

from identity.core.jsonld import ContextStore


@cache
def bundled() -> ContextStore:
    """A store with every published context of `schemas/contexts`, and their bytes."""
    folder = files("schemas") / "contexts"
    index = json.loads((folder / "index.json").read_text("utf-8"))
    published = {url: (folder / name).read_bytes() for url, name in index.items()}
    return ContextStore(
        {url: json.loads(data) for url, data in published.items()}, published=published
    )
