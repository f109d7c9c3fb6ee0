"""The specifications' own vectors, over HTTP: the proof-only verifier takes them (section 4)."""

from pathlib import Path
from typing import Any

import pytest

from tests.contract.vc_api.suite import Suite, changed
from tests.vectors import read_vector, vector_files, vectors_dir


def _proven(path: Path) -> Any:
    try:
        document = read_vector(path)
    except ValueError:
        return None
    proof = document.get("proof") if isinstance(document, dict) else None
    if not isinstance(proof, dict) or "proofValue" not in proof:
        return None
    return document if "credentialSubject" in document else None


FILES = {
    str(path.relative_to(vectors_dir())): path
    for path in vector_files("vc-di-e*/TestVectors/**/*.json")
    if _proven(path) is not None
}


def test_the_count_of_published_credentials():
    assert len(FILES) == 15


@pytest.mark.parametrize("name", sorted(FILES))
def test_published_credentials(suite: Suite, name: str):
    document = _proven(FILES[name])
    proof = document["proof"]
    is_base = proof.get("cryptosuite") == "ecdsa-sd-2023" and proof["proofValue"].startswith(
        "u2V0A"
    )
    is_older = proof["type"] == "Ed25519Signature2020"  # not a DataIntegrityProof: refused

    assert suite.verify(document, "proof-only").is_verified is not (is_base or is_older)
    assert not suite.verify(changed(document, id="urn:a:another"), "proof-only").is_verified
