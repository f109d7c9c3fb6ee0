"""Whatever comes in, the rules answer with changes or with a refusal, and with nothing else."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core import transactions
from registry.core.accreditation import Accreditation, AccreditationList
from registry.core.anchors import BatchRecord
from registry.core.compromise import CompromisedKeys
from registry.core.did_record import DidRecord, FragmentRecord
from registry.core.disclosure import DisclosureCount, DisclosureOrder
from registry.core.encoding import canonical_json
from registry.core.genesis import parse_genesis
from registry.core.membership import Member, MemberList
from registry.core.network_record import NetworkRecord
from registry.core.network_rules import NetworkRules
from registry.core.proposals import Proposal, ProposalList, ProposalNumber
from registry.core.records import TransactionRecord
from registry.core.refusals import Malformed, Refusal
from registry.core.relying_party import RelyingParty
from registry.core.schema_rules import check_schema
from registry.core.schemas import SchemaRecord
from registry.core.status import StatusGroupRecord, StatusRecord
from registry.core.transactions import parse_transaction
from registry.core.transitions import apply
from registry.core.upgrade import UpgradeRecord
from tests.fuzz.transactions import Finding, Spoiler
from tests.lengths import length
from tests.registry.core.actors import TestLedger
from tests.registry.core.story import story

RECORDS = [
    Accreditation,
    AccreditationList,
    BatchRecord,
    DidRecord,
    CompromisedKeys,
    DisclosureCount,
    DisclosureOrder,
    FragmentRecord,
    Member,
    MemberList,
    NetworkRecord,
    NetworkRules,
    Proposal,
    ProposalList,
    ProposalNumber,
    RelyingParty,
    SchemaRecord,
    StatusGroupRecord,
    StatusRecord,
    TransactionRecord,
    UpgradeRecord,
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_transaction(data)


@given(st.sampled_from(transactions.ACTIONS), JSON)
def test_any_body_is_refused_or_read(action: str, body: Any) -> None:
    payload = {
        "type": "cairn-transaction/1",
        "network": "cairn-test",
        "author": "" if action == "create-did" else TestLedger().root,
        "nonce": "A" * 21 + "A",
        "action": action,
        "body": body,
    }
    whole = {"payload": payload, "signatures": [{"key": "#a", "value": "AAAA"}]}
    try:
        data = canonical_json(whole)
    except Malformed:
        return

    with pytest.raises(Refusal):
        parse_transaction(data)


@given(st.sampled_from(RECORDS), JSON)
def test_any_record_is_refused(record: Any, value: Any) -> None:
    with pytest.raises(Malformed):
        record.parse(value)


@given(JSON)
def test_any_genesis_and_schema_is_refused(value: Any) -> None:
    with pytest.raises(Malformed):
        parse_genesis(value)
    with pytest.raises(Refusal):
        check_schema("degree", value)


@given(st.data())
def test_a_record_with_any_member_replaced_is_refused_or_the_same(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(_FINAL)))
    record = data.draw(st.sampled_from([r for r in RECORDS if _parses(r, _FINAL[key])]))
    value = record.parse(_FINAL[key])
    members = value.to_object() if hasattr(value, "to_object") else {}
    if not members:
        return
    name = data.draw(st.sampled_from(sorted(members)))

    members[name] = data.draw(JSON)

    try:
        read = record.parse(members)
    except Malformed:
        return
    assert record.parse(read.encode()) == read


def _parses(record: Any, value: bytes) -> bool:
    try:
        record.parse(value)
    except Malformed:
        return False
    return True


def _final_state() -> dict[str, bytes]:
    ledger = TestLedger()
    for data in story():
        ledger.apply(data)
    return ledger.state


_FINAL = _final_state()


def test_every_record_of_the_story_is_of_one_kind_only() -> None:
    for key, value in _FINAL.items():
        assert len([record for record in RECORDS if _parses(record, value)]) == 1, key


def test_the_untouched_story_is_taken() -> None:
    spoiler = Spoiler(0)

    for step, data in enumerate(spoiler.told):
        assert spoiler.answer(data, spoiler.states[step], step) == "changes"


def test_some_spoilt_transactions() -> None:
    answers = Spoiler(20261121).run(2_000)

    assert answers.total() == 2_000
    assert len(answers) >= 12, answers  # many different rules were reached


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_many_spoilt_transactions() -> None:
    count = length(20_000, 100_000)
    answers = Spoiler(4).run(count)

    assert answers.total() == count
    assert len(answers) >= 25, answers


def test_the_spoiler_would_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(*_args: object, **_kwargs: object) -> None:
        """Verify nothing."""

    monkeypatch.setattr("registry.core.authorship.verify_signature", careless)

    with pytest.raises(Finding, match="nobody signed"):
        Spoiler(1).run(5_000)


def test_a_state_of_garbage_is_a_refusal() -> None:
    spoiler = Spoiler(0)
    for step, data in enumerate(spoiler.told):
        transaction = parse_transaction(data)
        for key in spoiler.states[step]:
            for garbage in (b"{}", b"\xff"):
                state = {**spoiler.states[step], key: garbage}
                with suppress(Refusal):
                    apply(transaction, state=state, block=spoiler.block)
