"""An agency takes part with software that is not ours: by the two pages of the documentation.

It is accredited by its DID alone, and refused for everything it was not accredited for.
"""

import ast
import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios.conftest import MakeInstallation
from tests.scenarios.installation import ROOT, Installation
from tests.scenarios.outside_agency import (
    Json,
    NotProven,
    OutsideAgency,
    audit_path,
    check_inclusion,
    check_map,
    leaf,
    padded,
    sha256,
    tree,
    unpadded,
)

TYPE = "library-card"
NEW_DIDS = 3  # that one address may create in an hour
STATUS_URI = "https://library.example/status/1/token"
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://library.example/schemas/library-card/1",
    "title": "Library card",
    "type": "object",
    "properties": {"borrower_category": {"type": "string", "maxLength": 40}},
    "required": ["borrower_category"],
}


@dataclass
class Outside:
    """The agency, the installation whose registry it uses, and what it has anchored."""

    installation: Installation
    agency: OutsideAgency
    digests: list[bytes]
    batch: str = ""

    @property
    def data(self) -> list[str]:
        """Where the ministry keeps its settings and its root key."""
        installation = self.installation
        return ["--config", str(installation.config), "--data", str(installation.data.root)]

    def cairn(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command about this agency, as the ministry runs it beside its data folder."""
        return self.run(*arguments, *self.data, "--did", self.agency.did)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command, as anybody runs it who has a copy of the trust anchor."""
        where = ["--base", self.installation.address]
        where += ["--trust", str(self.installation.data.trust_anchor)]
        environment = {name: value for name, value in os.environ.items() if name[:6] != "CAIRN_"}
        if "--keys" in arguments:
            environment["CAIRN_KEYS__PASSPHRASE"] = "correct horse battery staple"
        return subprocess.run(
            [sys.executable, "-m", "identity.cli", *arguments, *where],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def anchor(self, batch: str, *types: str) -> Json:
        """Anchor the digests; the answer with its status."""
        body = {
            "batch": batch,
            "root": unpadded(tree([leaf(digest) for digest in self.digests])),
            "count": len(self.digests),
            "types": list(types),
        }
        answer = self.agency.do("anchor-batch", body)
        return {"status": answer.status_code, **answer.json()}


@pytest.fixture(scope="module")
def outside(make_installation: MakeInstallation) -> Outside:
    """One installation; the tests below are the chapters of one story, in their order."""
    limit = {"CAIRN_LEDGER__NEW_DIDS_PER_HOUR": str(NEW_DIDS)}
    installation = make_installation(environment=limit)
    installation.start()
    trust = json.loads(installation.data.trust_anchor.read_text("utf-8"))  # pinned, out of band
    agency = OutsideAgency(installation.address, trust, installation.http)
    return Outside(installation, agency, [sha256(secrets.token_bytes(40)) for _ in range(5)])


def test_it_has_nothing_of_ours() -> None:
    source = (Path(__file__).parent / "outside_agency.py").read_text("utf-8")

    names = {
        name.split(".")[0]
        for item in ast.walk(ast.parse(source))
        for name in (
            [alias.name for alias in item.names]
            if isinstance(item, ast.Import)
            else [item.module or "."]
            if isinstance(item, ast.ImportFrom)
            else []
        )
    }

    assert names - set(sys.stdlib_module_names) == {"cryptography", "httpx2"}


def test_it_creates_its_did(outside: Outside) -> None:
    agency = outside.agency

    answer = agency.create_did()

    assert answer.status_code == 201, answer.text
    record = agency.proven(f"did/{agency.did}", f"/dids/{agency.did}")
    assert (record["did"], record["version"]) == (agency.did, 1)
    assert [m["publicKeyMultibase"] for m in record["verificationMethods"]] == [
        agency.ledger_key.multikey,
        agency.issuing_key.multikey,
    ]
    listed = agency.read("/records", key=f"accreditations/{agency.did}", proof="true")
    assert listed["record"] is None  # nobody accredited it, and that is proven
    assert agency.proven(listed["key"]) is None


def test_a_did_is_no_accreditation(outside: Outside) -> None:
    answer = outside.anchor(unpadded(secrets.token_bytes(16)), TYPE)

    assert (answer["status"], answer["type"]) == (403, "/problems/may-not-anchor")


def test_it_is_accredited_by_its_did_alone(outside: Outside) -> None:
    agency = outside.agency

    done = outside.cairn("issuer", "accredit", "--types", TYPE)
    again = outside.cairn("issuer", "accredit", "--types", TYPE)

    assert done.returncode == 0, done.stderr
    identifier = done.stdout.split()[0]
    assert again.stdout.split()[0] == identifier
    assert "already" in again.stdout
    key = f"accreditations/{agency.did}"
    assert agency.proven(key)["accreditations"] == [identifier]
    key = f"accreditation/{identifier}"
    record = agency.proven(key)
    assert (record["role"], record["types"]) == ("issuer", [TYPE])
    assert record["granted_by"] in agency.trust["roots"]


def test_it_publishes_a_schema(outside: Outside) -> None:
    agency = outside.agency

    answer = agency.do("publish-schema", {"name": TYPE, "version": "1", "schema": SCHEMA})

    assert answer.status_code == 201, answer.text
    record = agency.proven(f"schema/{TYPE}/1", f"/schemas/{TYPE}/1")
    assert record["schema"] == SCHEMA
    assert record["publisher"] == agency.did


def test_it_anchors_a_batch(outside: Outside) -> None:
    outside.batch = unpadded(secrets.token_bytes(16))

    answer = outside.anchor(outside.batch, TYPE)

    assert answer["status"] == 201, answer
    prove_batch(outside)


def prove_batch(outside: Outside) -> Json:
    """Each digest is proven to be in a batch of this agency, as a verifier would see it."""
    agency = outside.agency
    record: Json = agency.proven(
        f"batch/{agency.did}/{outside.batch}", f"/batches/{agency.did}/{outside.batch}"
    )
    assert (record["issuer"], record["types"]) == (agency.did, [TYPE])
    leaves = [leaf(digest) for digest in outside.digests]
    for index, digest in enumerate(outside.digests):
        check_inclusion(
            leaf(digest),
            index=index,
            size=record["count"],
            path=audit_path(leaves, index),
            root=padded(record["root"]),
        )
    return record


def test_it_publishes_a_status_list(outside: Outside) -> None:
    agency = outside.agency

    answer = publish_status(outside, 1)

    assert answer["status"] == 201, answer
    record = agency.proven(
        "status-list/" + sha256(STATUS_URI.encode()).hex(),
        "/status-lists",
        uri=STATUS_URI,
    )
    assert (record["issuer"], record["version"]) == (agency.did, 1)
    assert record["digest"] == unpadded(sha256(bytes([1]) * 100))


def publish_status(outside: Outside, version: int) -> Json:
    lists = {STATUS_URI: unpadded(sha256(bytes([version]) * 100))}
    answer = outside.agency.do("publish-status", {"group": "1", "version": version, "lists": lists})
    return {"status": answer.status_code, **answer.json()}


def test_an_altered_answer_proves_nothing(outside: Outside) -> None:
    """The agency's own checks would notice; otherwise the chapters above say little."""
    agency = outside.agency
    key = f"schema/{TYPE}/1"
    answer = agency.read(f"/schemas/{TYPE}/1", proof="true")
    root = agency.follow(answer["head"]).state

    check_map(answer["proof"], key=key, record=answer["record"], root=root)
    with pytest.raises(NotProven):
        check_map(answer["proof"], key=key, record={**answer["record"], "name": "x"}, root=root)
    with pytest.raises(NotProven):
        check_map(answer["proof"], key=key, record=None, root=root)
    with pytest.raises(NotProven):
        check_map(answer["proof"], key=key, record=answer["record"], root=bytes(32))


def test_it_is_refused_for_another_type(outside: Outside) -> None:
    agency = outside.agency
    batch = unpadded(secrets.token_bytes(16))

    alone = outside.anchor(batch, "driving-licence")
    beside = outside.anchor(batch, TYPE, "driving-licence")
    schema = agency.do(
        "publish-schema", {"name": "driving-licence", "version": "2", "schema": SCHEMA}
    )

    assert [alone["status"], beside["status"], schema.status_code] == [403, 403, 403]
    key = f"batch/{agency.did}/{batch}"
    assert agency.proven(key) is None
    key = "schema/driving-licence/2"
    assert agency.proven(key) is None


def test_suspended_at_a_height_it_is_refused_after_and_believed_before(outside: Outside) -> None:
    done = outside.cairn("issuer", "suspend", "--reason", "under-investigation")

    assert done.returncode == 0, done.stderr
    identifier, _, _, _, height = done.stdout.split()
    assert outside.anchor(unpadded(secrets.token_bytes(16)), TYPE)["status"] == 403
    assert publish_status(outside, 2)["status"] == 403
    assert outside.cairn("issuer", "suspend").returncode == 2  # it is suspended
    batch = prove_batch(outside)  # under a head that is younger than the suspension
    assert outside.agency.seen is not None
    assert batch["height"] < int(height) <= outside.agency.seen.height
    key = f"accreditation/{identifier}"
    (suspension,) = outside.agency.proven(key)["suspensions"]
    assert suspension == {"from": int(height), "to": None, "reason": "under-investigation"}


def test_reinstated_it_goes_on_and_ended_it_can_still_revoke(outside: Outside) -> None:
    assert outside.cairn("issuer", "reinstate").returncode == 0
    assert outside.anchor(unpadded(secrets.token_bytes(16)), TYPE)["status"] == 201
    assert outside.cairn("issuer", "reinstate").returncode == 2  # it is not suspended

    done = outside.cairn("issuer", "end", "--reason", "institution-closed")

    assert done.returncode == 0, done.stderr
    assert outside.anchor(unpadded(secrets.token_bytes(16)), TYPE)["status"] == 403
    assert publish_status(outside, 2)["status"] == 201
    assert outside.cairn("issuer", "end", "--reason", "institution-closed").returncode == 2
    prove_batch(outside)


def test_an_authority_accredits_within_its_mandate(outside: Outside, tmp_path: Path) -> None:
    """The ministry names a county; the county, with a key file of its own, names a library."""
    first = outside.agency
    keys = ["--keys", str(tmp_path / "county.keys")]
    county = outside.run("did", "create", *keys).stdout.strip()
    library = OutsideAgency(first.base, first.trust, first.http)
    assert library.create_did().status_code == 201
    by_county = ["--author", county, *keys, "--did", library.did]

    early = outside.run("issuer", "accredit", "--types", TYPE, *by_county)
    named = outside.run(
        "issuer", "accredit", "--role", "authority", "--types", TYPE, "--did", county, *outside.data
    )
    beyond = outside.run("issuer", "accredit", "--types", f"{TYPE},degree", *by_county)
    done = outside.run("issuer", "accredit", "--types", TYPE, *by_county)

    assert (early.returncode, beyond.returncode) == (2, 2)
    assert (named.returncode, done.returncode) == (0, 0), done.stderr
    record = library.proven(f"accreditation/{done.stdout.split()[0]}")
    assert (record["granted_by"], record["under"]) == (county, named.stdout.split()[0])


def test_one_address_creates_no_more_dids_than_it_may(outside: Outside) -> None:
    first = outside.agency
    more = OutsideAgency(first.base, first.trust, first.http)

    answer = more.create_did()  # the fourth: agency, county, library, this

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert first.proven(f"did/{more.did}") is None


def test_the_ledger_replays(outside: Outside) -> None:
    report = outside.installation.audit()

    assert report.fault is None
