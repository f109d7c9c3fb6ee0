"""A DID of one's own from the command line, and the agencies' DIDs at their web addresses."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.scenarios.installation import ROOT, Installation


@dataclass
class Controller:
    """Somebody with key files in a folder, who runs `cairn did`."""

    installation: Installation
    folder: Path
    did: str = ""
    heights: list[int] = field(default_factory=list)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {n: v for n, v in os.environ.items() if n[:6] != "CAIRN_"}
        place = ["--base", self.installation.address]
        place += ["--trust", str(self.installation.data.trust_anchor)]
        return subprocess.run(
            [sys.executable, "-m", "identity.cli", "did", *arguments, *place],
            cwd=ROOT,
            env={**environment, "CAIRN_KEYS__PASSPHRASE": "correct horse battery staple"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def file(self, name: str) -> str:
        return str(self.folder / f"{name}.keys")

    def show(self, *more: str) -> Any:
        done = self.run("show", "--did", self.did, *more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def controller(shared: Installation, tmp_path_factory: pytest.TempPathFactory) -> Controller:
    """The tests with it are the chapters of one story, in their order."""
    return Controller(shared, tmp_path_factory.mktemp("keys"))


def test_a_did_is_created_once(controller: Controller) -> None:
    arguments = ["create", "--keys", controller.file("one"), "--next", controller.file("two")]
    arguments += ["--recovery", controller.file("safe"), "--name", "https://agency.example"]

    first, again = controller.run(*arguments), controller.run(*arguments)

    assert first.returncode == 0, first.stderr
    assert first.stdout == again.stdout
    controller.did = first.stdout.strip()
    shown = controller.show()
    assert shown["didDocument"]["alsoKnownAs"] == ["https://agency.example"]
    assert shown["didDocumentMetadata"]["versionId"] == "1"
    for name in ("one", "two", "safe"):
        assert Path(controller.file(name)).stat().st_mode & 0o077 == 0


def test_only_the_promised_keys_come_next(controller: Controller) -> None:
    thief = controller.run(
        "rotate",
        "--did",
        controller.did,
        "--keys",
        controller.file("one"),
        "--to",
        controller.file("thief"),
    )
    rotation = ["rotate", "--did", controller.did, "--keys", controller.file("one")]
    rotation += ["--to", controller.file("two"), "--next", controller.file("three")]
    done, again = controller.run(*rotation), controller.run(*rotation)

    assert thief.returncode == 2
    assert "Traceback" not in thief.stderr
    assert done.returncode == 0, done.stderr
    assert done.stdout == again.stdout
    shown = controller.show()
    document = shown["didDocument"]
    did = controller.did
    assert document["capabilityInvocation"] == [f"{did}#ledger-2"]
    assert sorted(document["assertionMethod"]) == sorted(
        f"{did}#{fragment}" for fragment in ("di-1", "jose-1", "di-2", "jose-2")
    )
    assert shown["didDocumentMetadata"]["versionId"] == "2"
    controller.heights.append(int(done.stdout.split()[-1]))


def test_an_earlier_height_shows_the_earlier_keys(controller: Controller) -> None:
    (height,) = controller.heights

    before = controller.show("--height", str(height - 1))
    resolved = controller.installation.http.get(
        f"{controller.installation.base}/1.0/identifiers/{controller.did}?height={height - 1}"
    ).json()

    assert before["didDocument"]["capabilityInvocation"] == [f"{controller.did}#ledger-1"]
    assert before["didDocumentMetadata"]["nextVersionId"] == "2"
    assert resolved["didDocument"] == before["didDocument"]
    assert resolved["didDocumentMetadata"] == before["didDocumentMetadata"]
    late = controller.run("show", "--did", controller.did, "--height", "9999999")
    assert late.returncode == 2


def test_lost_keys_are_replaced_by_the_recovery_key(controller: Controller) -> None:
    done = controller.run(
        "rotate",
        "--did",
        controller.did,
        "--recovery",
        controller.file("safe"),
        "--to",
        controller.file("four"),
        "--retire",
        "di-1",
        "--retire",
        "jose-1",
    )

    assert done.returncode == 0, done.stderr
    document = controller.show("--form", "JsonWebKey")["didDocument"]
    assert document["capabilityInvocation"] == [f"{controller.did}#ledger-3"]
    assert f"{controller.did}#di-1" not in document["assertionMethod"]
    assert all("publicKeyJwk" in method for method in document["verificationMethod"])


def test_old_keys_deactivate_nothing_and_new_ones_do_for_ever(controller: Controller) -> None:
    stolen = controller.run("deactivate", "--did", controller.did, "--keys", controller.file("two"))
    done = controller.run("deactivate", "--did", controller.did, "--keys", controller.file("four"))
    after = controller.run("deactivate", "--did", controller.did, "--keys", controller.file("four"))

    assert (stolen.returncode, done.returncode, after.returncode) == (2, 0, 2)
    assert done.stdout.strip().endswith("deactivated")
    assert controller.show()["didDocumentMetadata"]["deactivated"] is True
    answer = controller.installation.http.get(
        f"{controller.installation.base}/1.0/identifiers/{controller.did}"
    )
    assert answer.status_code == 410


@pytest.mark.parametrize("agency", ["civil-registry", "university"])
def test_an_agency_is_known_by_both_its_dids(shared: Installation, agency: str) -> None:
    served = shared.http.get(f"{shared.base}/issuers/{agency}/did.json")
    web = served.json()
    ledger_did = web["alsoKnownAs"][0]
    resolver = f"{shared.base}/1.0/identifiers/"
    resolved = shared.http.get(resolver + quote(web["id"], safe="")).json()["didDocument"]
    ledger = shared.http.get(resolver + ledger_did).json()["didDocument"]
    jwks = shared.http.get(f"{resolver}{ledger_did}?publicKeyFormat=JsonWebKey2020").json()

    host = shared.base.removeprefix("http://").replace(":", "%3A")
    assert web["id"] == f"did:web:{host}:issuers:{agency}"
    assert resolved == web
    assert web["id"] in ledger["alsoKnownAs"]
    assert f"{shared.base}/issuers/{agency}" in ledger["alsoKnownAs"]
    assert len(web["verificationMethod"]) == len(ledger["verificationMethod"]) == 3
    by_fragment = {
        method["id"].partition("#")[2]: method
        for method in (
            *ledger["verificationMethod"],
            *(m for m in jwks["didDocument"]["verificationMethod"] if m["id"].endswith("#jose-1")),
        )
    }
    for method in web["verificationMethod"]:
        known = by_fragment[method["id"].partition("#")[2]]
        for member in ("type", "publicKeyMultibase", "publicKeyJwk"):
            assert method.get(member) == known.get(member)


def test_a_foreign_did_web_that_is_not_listed_is_not_resolved(shared: Installation) -> None:
    answer = shared.http.get(f"{shared.base}/1.0/identifiers/did:web:w3.example")

    assert answer.status_code == 501


def test_no_agency_no_document(shared: Installation) -> None:
    assert shared.http.get(f"{shared.base}/issuers/nobody/did.json").status_code == 404
