"""The one place that knows where the published vectors are.

`CAIRN_VECTORS` names the directory; by default it is `shared/vectors` beside the repository. Each
set has a `SOURCE.md` with its origin and licence. Without the directory, tests on vectors are
skipped and say so; a set that is there but incomplete fails, because each test module counts.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent


def vectors_dir() -> Path:
    """Directory of the published vectors; skips the calling test or module when it is missing."""
    path = Path(os.environ.get("CAIRN_VECTORS") or _REPOSITORY.parent / "shared" / "vectors")
    if not path.is_dir():
        pytest.skip(
            "published vectors are not here; set CAIRN_VECTORS to their directory",
            allow_module_level=True,
        )
    return path


def vector_files(pattern: str) -> list[Path]:
    """Vector files that match a glob pattern below `vectors_dir()`, sorted."""
    return sorted(vectors_dir().glob(pattern))


def read_vector(path: Path) -> Any:
    """Content of one JSON vector."""
    return json.loads(path.read_text(encoding="utf-8"))
