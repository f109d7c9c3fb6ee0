"""Disclosure orders: several institutions or none, on a count that only grows."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from registry.core.accreditation_actions import Accredit, SuspendAccreditation
from registry.core.accreditation_rules import MayNotAccredit
from registry.core.authorship import InstitutionNotProven, SignerNotAllowed
from registry.core.did_actions import DeactivateDid
from registry.core.disclosure import (
    DisclosureCount,
    DisclosureCountConflict,
    DisclosureOrder,
    MayNotDisclose,
    RecordDisclosure,
    TooFewInstitutions,
)
from registry.core.governance_changes import ChangeRule
from registry.core.hashing import sha256
from registry.core.identifiers import did_of
from registry.core.keys import SignatureNotValid
from registry.core.records import DISCLOSURES_KEY, disclosure_order_key
from registry.core.refusals import Malformed
from registry.core.transactions import Payload
from tests.registry.core.actors import NETWORK, Pair, identifier, nonce, pair, sign
from tests.registry.core.council import Council


@pytest.fixture
def council() -> Council:
    """Two members; the court is accredited to open, the shop is not."""
    made = Council(founders=("ann", "bob"))
    for name in ("court", "shop"):
        made.join(name)
    made.decide(made.grant("court", "court", role="opener"), "ann", "bob")
    return made


def order(council: Council, *names: str, number: int = 1) -> RecordDisclosure:
    return RecordDisclosure(
        number=number,
        reference=identifier("order"),
        legal_basis="court-order",
        institutions=tuple(council.did[name] for name in names),
        commitment=sha256(b"whose"),
        notice_days=30,
    )


def keys_of(council: Council, *names: str) -> dict[str, Pair]:
    return {
        f"{council.did[name]}#"
        + ("governance-1" if name in council.founders else "ledger-1"): pair(name)
        for name in names
    }


def submit(
    council: Council,
    action: RecordDisclosure,
    *signers: str,
    author: str | None = None,
    keys: Mapping[str, Pair] | None = None,
) -> None:
    council.counter += 1
    payload = Payload(
        network=NETWORK,
        author=council.did[author or signers[0]],
        nonce=nonce(f"order {council.counter}"),
        action=action,
    )
    council.apply(sign(payload, keys or keys_of(council, *signers)))


def count(council: Council) -> int:
    return DisclosureCount.parse(council.state[DISCLOSURES_KEY]).count


def test_members_and_openers_record_an_order_together(council: Council) -> None:
    submit(council, order(council, "ann", "court"), "court", "ann")

    found = DisclosureOrder.parse(council.state[disclosure_order_key(1)])
    assert found.institutions == tuple(sorted((council.did["ann"], council.did["court"])))
    assert (found.legal_basis, found.number, count(council)) == ("court-order", 1, 1)
    assert found.commitment == sha256(b"whose")
    assert found.notice_time == found.time + 30 * 86_400


def test_the_count_grows_by_one(council: Council) -> None:
    submit(council, order(council, "ann", "bob"), "ann", "bob")
    for number in (1, 3):
        with pytest.raises(DisclosureCountConflict):
            submit(council, order(council, "ann", "bob", number=number), "ann", "bob")

    submit(council, order(council, "ann", "bob", number=2), "ann", "bob")

    assert count(council) == 2
    assert disclosure_order_key(1) in council.state


def test_one_institution_is_not_enough(council: Council) -> None:
    with pytest.raises(TooFewInstitutions):
        submit(council, order(council, "ann"), "ann")


def test_the_rule_says_how_many(council: Council) -> None:
    council.decide(ChangeRule(rule="disclosure-signers", value=3), "ann", "bob")

    with pytest.raises(TooFewInstitutions):
        submit(council, order(council, "ann", "bob"), "ann", "bob")
    submit(council, order(council, "ann", "bob", "court"), "ann", "bob", "court")


def test_one_institution_named_twice_is_one(council: Council) -> None:
    with pytest.raises(Malformed):
        submit(council, order(council, "ann", "ann"), "ann")


def test_every_institution_signs(council: Council) -> None:
    with pytest.raises(InstitutionNotProven):
        submit(council, order(council, "ann", "bob"), "ann")
    with pytest.raises(InstitutionNotProven):
        submit(council, order(council, "ann", "bob", "court"), "ann", "bob")


def test_two_keys_of_one_institution_are_one_institution(council: Council) -> None:
    keys = keys_of(council, "ann") | {f"{council.did['ann']}#governance-2": pair("ann")}

    with pytest.raises(SignerNotAllowed):
        submit(council, order(council, "ann", "bob"), author="ann", keys=keys)


def test_nobody_signs_for_another(council: Council) -> None:
    keys = keys_of(council, "ann") | {f"{council.did['bob']}#governance-1": pair("ann")}

    with pytest.raises(SignatureNotValid):
        submit(council, order(council, "ann", "bob"), author="ann", keys=keys)


def test_a_stranger_neither_signs_nor_stands_behind_it(council: Council) -> None:
    with pytest.raises(SignerNotAllowed):
        submit(council, order(council, "ann", "bob"), "ann", "bob", "shop")
    with pytest.raises(MayNotDisclose):
        submit(council, order(council, "ann", "shop"), "ann", "shop")


def test_the_author_stands_behind_it(council: Council) -> None:
    with pytest.raises(MayNotDisclose):
        submit(council, order(council, "ann", "bob"), "ann", "bob", "court", author="court")


def test_who_has_no_did_or_gave_it_up_does_not_count(council: Council) -> None:
    nobody = replace(
        order(council, "ann"), institutions=(council.did["ann"], did_of(NETWORK, bytes(20)))
    )
    with pytest.raises(InstitutionNotProven):
        submit(council, nobody, "ann")
    council.act("court", DeactivateDid(version=1))
    with pytest.raises(InstitutionNotProven):
        submit(council, order(council, "ann", "court"), "ann")


def test_a_suspended_opener_and_a_removed_member_open_nothing(council: Council) -> None:
    council.decide(
        SuspendAccreditation(accreditation=identifier("court"), reason="audit"), "ann", "bob"
    )
    with pytest.raises(MayNotDisclose):
        submit(council, order(council, "ann", "court"), "ann", "court")
    council.decide(council.remove("bob"), "ann", "bob")
    with pytest.raises(MayNotDisclose):
        submit(council, order(council, "ann", "bob"), "ann", "bob")


def test_an_issuer_is_no_opener(council: Council) -> None:
    council.decide(council.grant("shop", "shop", role="issuer"), "ann", "bob")

    with pytest.raises(MayNotDisclose):
        submit(council, order(council, "ann", "shop"), "ann", "shop")


def test_an_authority_makes_no_openers(council: Council) -> None:
    council.decide(council.grant("authority", "shop"), "ann", "bob")
    grant = Accredit(
        accreditation=identifier("x"),
        subject=council.did["court"],
        role="opener",
        types=("degree",),
        until_height=None,
    )

    with pytest.raises(MayNotAccredit):
        council.act("shop", grant)
    council.act("shop", replace(grant, role="issuer"))


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"number": True},
        {"reference": "A"},
        {"legal_basis": "Because of Mr. X"},
        {"institutions": []},
        {"institutions": [did_of(NETWORK, bytes([n] * 20)) for n in range(16)]},
        {"subject": "somebody"},
        {"commitment": "AAAA"},
        {"commitment": None},
        {"notice_days": -1},
        {"notice_days": 181},
    ],
)
def test_a_malformed_order_is_refused(council: Council, change: Any) -> None:
    body = order(council, "ann", "bob").to_body()
    assert RecordDisclosure.parse(body).to_body() == body

    with pytest.raises(Malformed):
        RecordDisclosure.parse(body | change)
