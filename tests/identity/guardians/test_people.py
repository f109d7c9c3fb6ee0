"""What guardians bring back, at a real issuer: which types, and what is taken back again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from identity.core.credential_types import Catalogue, CredentialType
from identity.core.mandate import PRINCIPAL, needs_principal
from identity.installation.guardians import IssuersPeople
from identity.issuer.records import OfferState, Status
from identity.realname.recovery import EndsAll
from tests.identity.issuer.workbench import ALICE, CATALOGUE, Workbench


class EndsNothing:
    """Nothing ends in these tests."""

    def end_all(self, agency: str, subject: str, *, reason: str) -> list[object]:
        raise AssertionError((agency, subject, reason))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    made = Workbench(tmp_path)
    yield made
    made.engine.dispose()


def people_of(bench: Workbench, parts: Any = None) -> IssuersPeople:
    ends: EndsAll = EndsNothing()
    return IssuersPeople(bench.engine, parts or bench.parts, ends)


def loose_mandate() -> CredentialType:
    """A catalogue's own mandate, of which the agency need not say anything."""
    kind = CATALOGUE.by_name("power-of-attorney")
    subject = {**kind.claims_schema, "required": [f"{PRINCIPAL}family_name"]}
    properties = {**kind.schema["properties"], "credentialSubject": subject}
    return replace(kind, schema={**kind.schema, "properties": properties})


def test_no_mandate_is_offered_anew_for_nobody_says_for_whom_she_acts(bench: Workbench) -> None:
    bench.persons.people["prs_bob"] = {"family_name": "Wu"}
    loose = loose_mandate()
    assert needs_principal(loose.claims)
    kinds = [loose if kind.name == loose.name else kind for kind in CATALOGUE]
    held = [loose.name, "resident-identity"]
    rows = [SimpleNamespace(credential_type=name, status=Status.VALID) for name in held]
    issuances = SimpleNamespace(issuances_of=lambda *_: rows)
    parts = replace(bench.parts, catalogue=Catalogue(kinds), issuances=issuances)

    people = people_of(bench, parts)

    assert people.offerable("registrar", ALICE) == ["resident-identity"]


def test_offers_that_are_taken_back_open_nothing(bench: Workbench) -> None:
    people, key = people_of(bench), bench.key().key.jwk_thumbprint
    now = int(bench.clock().timestamp())
    made = people.offer("registrar", ALICE, "resident-identity", key=key, now=now)
    for _ in range(2):
        people.take_back("registrar", [made])
    kept = bench.parts.offers.read_offer("registrar", str(made["credential_id"]))
    assert kept is not None
    assert kept.state is OfferState.DEAD
    assert people.offer_again("registrar", ALICE, key=key, now=now) == []
