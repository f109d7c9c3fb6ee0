"""Every published vector for credentials has a test that reads it, and none was lost on the way.

Each file of a set belongs to exactly one line of the table; each line names the test module that
reads such files, step by step where the vector has steps. The modules count again what they read.
"""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.vectors import vectors_dir

CORE = "identity/core"
SD = f"{CORE}/test_ecdsa_sd.py"
STEPS = f"{CORE}/test_data_integrity_vectors.py"
LISTS = f"{CORE}/test_status_list.py"
CWT = f"{CORE}/test_status_cwt.py"
BBS = f"{CORE}/bbs/test_vectors.py"
# Folder -> pattern of paths below it -> (how many, who reads them). "about" are no vectors.
TABLE = {
    "vc-di-eddsa": {
        "TestVectors/Ed25519Signature2020/*": (9, STEPS),
        "TestVectors/eddsa-jcs-2022/*": (9, STEPS),
        "TestVectors/eddsa-rdfc-2022/*": (18, STEPS),
        "TestVectors/proof-set-chain/*": (16, STEPS),
        "TestVectors/*.json": (3, STEPS),
    },
    "vc-di-ecdsa": {
        "TestVectors/ecdsa-jcs-2019-p*/*": (18, STEPS),
        "TestVectors/ecdsa-rdfc-2019-p*/*": (36, STEPS),
        "TestVectors/ecdsa-sd-2023/*": (41, SD),
        "TestVectors/employ[MS]*.json": (2, SD),
        "TestVectors/prCred[MS]*.json": (2, SD),
        "TestVectors/prCredUnsigned.json": (1, SD),
        "TestVectors/p???KeyPair.json": (2, STEPS),
        "TestVectors/unsigned.json": (1, STEPS),
        "TestVectors/employmentAuth.json": (1, STEPS),
    },
    "vc-di-bbs": {"TestVectors/*": (104, BBS)},
    "rdf-canon": {
        "tests/rdfc10/*": (150, f"{CORE}/test_rdf_canon.py"),
        "tests/manifest.jsonld": (1, f"{CORE}/test_rdf_canon.py"),
        "tests/*": (8, "about"),
    },
    "jcs": {
        "testdata/*/*": (18, "registry/core/test_encoding.py"),
        "testdata/README.md": (1, "about"),
    },
    "sd-jwt": {
        "examples/*/specification.yml": (15, f"{CORE}/test_sd_jwt_vectors.py"),
        "examples/settings.yml": (1, f"{CORE}/test_sd_jwt_vectors.py"),
    },
    "token-status-list": {
        "examples/status_list_encoding*_json.md": (6, LISTS),
        "examples/status_list_encoding*_cbor.md": (6, LISTS),
        "examples/status_list_encoding*_diag.md": (2, CWT),
        "examples/status_list_jwt*.md": (2, LISTS),
        "examples/status_list_cwt*.md": (2, CWT),
        "examples/referenced_token_cwt*.md": (2, CWT),
    },
    "ed25519-cctv": {
        "ed25519/ed25519vectors.json": (1, "registry/core/test_keys.py"),
        "ed25519/*": (2, "about"),
    },
}


@pytest.mark.parametrize("folder", TABLE)
def test_every_file_has_its_reader(folder: str):
    root = vectors_dir() / folder
    counts = dict.fromkeys(TABLE[folder], 0)
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_file() and name != "SOURCE.md":
            first = next((p for p in counts if fnmatchcase(name, p)), None)
            assert first is not None, name
            counts[first] += 1

    assert counts == {pattern: count for pattern, (count, _) in TABLE[folder].items()}


@pytest.mark.parametrize("folder", TABLE)
def test_the_readers_open_that_folder(folder: str):
    tests = Path(__file__).resolve().parent
    for _, reader in TABLE[folder].values():
        if reader != "about":
            text = (tests / reader).read_text("utf-8")
            beside = (tests / reader).with_name("examples.py")
            assert folder in text or folder in beside.read_text("utf-8"), reader


def test_how_many_vectors_there_are():
    counted = [entry for lines in TABLE.values() for entry in lines.values()]

    assert sum(count for count, reader in counted if reader != "about") == 469
