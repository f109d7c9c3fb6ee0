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


# The first bytes of proofs that only the holder may see (ecdsa-sd-2023; bbs-2023, three kinds), and
# of proofs with a pseudonym, in base64url.
BASE_PROOFS = ("u2V0A", "u2V0C", "u2V0E", "u2V0I")
PSEUDONYM = "u2V0J"
FILES = {
    str(path.relative_to(vectors_dir())): path
    for path in vector_files("vc-di-*/TestVectors/**/*.json")
    if _proven(path) is not None
}


def test_the_count_of_published_credentials():
    assert len(FILES) == 25


@pytest.mark.parametrize("name", sorted(FILES))
def test_published_credentials(suite: Suite, name: str):
    document = _proven(FILES[name])
    proof = document["proof"]
    is_base = proof["proofValue"].startswith(BASE_PROOFS)
    is_older = proof["type"] == "Ed25519Signature2020"  # not a DataIntegrityProof: refused
    is_for_somebody = proof["proofValue"].startswith(PSEUDONYM)  # and no request says for whom

    accepted = not (is_base or is_older or is_for_somebody)
    assert suite.verify(document, "proof-only").is_verified is accepted
    assert not suite.verify(changed(document, id="urn:a:another"), "proof-only").is_verified
