"""Proposals and votes: nobody alone, nothing twice, and nothing after its time."""

from typing import Any

import pytest

from registry.core.accreditation import Accreditation, is_accredited
from registry.core.accreditation_actions import (
    EndAccreditation,
    ReinstateAccreditation,
    SuspendAccreditation,
)
from registry.core.accreditation_rules import (
    AccreditationExists,
    HeightHasPassed,
    MayNotAccredit,
    NotAccreditor,
)
from registry.core.anchors import AnchorBatch
from registry.core.context import SubjectDeactivated, SubjectUnknown
from registry.core.did_actions import DeactivateDid
from registry.core.encoding import canonical_json
from registry.core.governance_changes import (
    AdmitMember,
    ChangeRule,
    ScheduleUpgrade,
    SetValidatorKey,
    read_change,
)
from registry.core.governance_effects import (
    LastMember,
    MemberExists,
    MemberNameTaken,
    MemberUnknown,
    RuleUnchanged,
    TooManyMembers,
    ValidatorKeyTaken,
)
from registry.core.governance_rules import (
    AlreadyVoted,
    NotMember,
    ProposalDecided,
    ProposalExpired,
    ProposalUnknown,
    TooManyProposals,
)
from registry.core.identifiers import did_of
from registry.core.membership import MAX_EVER, Member, MemberList
from registry.core.network_record import MAX_MEMBERS
from registry.core.network_rules import NetworkRules, Quorum, first_rules
from registry.core.proposals import (
    ACCEPTED,
    EXPIRED,
    FAILED,
    OPEN,
    REJECTED,
    CastVote,
    ProposalNumber,
    Propose,
)
from registry.core.records import (
    MEMBERS_KEY,
    PROPOSALS_KEY,
    RULES_KEY,
    UPGRADE_KEY,
    StateDamaged,
    accreditation_key,
    member_key,
    proposal_number_key,
)
from registry.core.refusals import Malformed
from registry.core.relying_party import MayNotRegister, RegisterRelyingParty
from registry.core.schemas import MayNotPublishSchema, PublishSchema
from registry.core.upgrade import UpgradeRecord
from tests.registry.core.actors import NETWORK, P256Pair, TestLedger, identifier, pair
from tests.registry.core.council import Council
from tests.registry.core.story import SCHEMA
from tests.registry.core.test_relying_party import purpose

RULE = ChangeRule(rule="voting-seconds", value=3600)


@pytest.fixture
def council() -> Council:
    made = Council()
    made.join("dan")
    return made


def rules_of(council: Council) -> NetworkRules:
    return NetworkRules.parse(council.state[RULES_KEY])


def grant_of(council: Council, name: str) -> Accreditation:
    return Accreditation.parse(council.state[accreditation_key(identifier(name))])


# --- deciding


def test_the_genesis_makes_members_and_rules(council: Council) -> None:
    assert council.active == ["ann", "bob", "cat"]
    assert council.member("ann") == Member(
        did=council.did["ann"],
        name="ann",
        validator_key=None,
        active=True,
        since_height=0,
        until_height=None,
        proposal=None,
        height=0,
        time=1_700_000_000,
    )
    assert rules_of(council) == first_rules(height=0, time=1_700_000_000)


def test_two_of_three_are_not_more_than_two_thirds(council: Council) -> None:
    proposal = council.propose("ann", council.admit("dan"))

    assert council.vote("bob", proposal).state == OPEN
    assert council.active == ["ann", "bob", "cat"]
    assert council.vote("cat", proposal).state == ACCEPTED
    assert council.active == ["ann", "bob", "cat", "dan"]
    assert council.member("dan").proposal == proposal
    assert council.member("dan").since_height == council.height


def test_a_proposal_keeps_every_vote_and_the_tally(council: Council) -> None:
    proposal = council.propose("ann", RULE)
    council.vote("bob", proposal, "no")
    found = council.proposal(proposal)

    assert [(item.member, item.vote, item.height) for item in found.votes] == [
        (council.did["ann"], "yes", 2),
        (council.did["bob"], "no", 3),
    ]
    assert (found.tally.yes, found.tally.no, found.tally.members) == (1, 1, 3)
    assert (found.number, found.made_height, found.expires) == (
        1,
        2,
        found.made_time + 14 * 86_400,
    )
    number = ProposalNumber.parse(council.state[proposal_number_key(1)])
    assert number.proposal == found.id == proposal


def test_it_is_rejected_when_the_quorum_is_out_of_reach(council: Council) -> None:
    proposal = council.propose("ann", RULE)

    rejected = council.vote("bob", proposal, "no")

    assert (rejected.state, rejected.decided_height) == (REJECTED, council.height)
    assert council.open == []
    assert rules_of(council).voting_seconds == 14 * 86_400


def test_with_a_quorum_of_one_half_half_is_not_enough() -> None:
    council = Council(founders=("ann", "bob", "cat", "eve"))
    half = ChangeRule(rule="quorum", value=Quorum(numerator=1, denominator=2))
    assert council.decide(half, "ann", "bob", "cat").state == ACCEPTED

    proposal = council.propose("ann", RULE)

    assert council.vote("bob", proposal).state == OPEN
    assert council.vote("cat", proposal).state == ACCEPTED


def test_a_vote_can_be_changed_until_it_is_decided() -> None:
    council = Council(founders=("ann", "bob", "cat", "eve"))
    proposal = council.propose("ann", RULE)
    council.vote("bob", proposal, "no")

    assert council.vote("bob", proposal).tally.yes == 2
    assert len(council.proposal(proposal).votes) == 2
    council.vote("cat", proposal)
    with pytest.raises(ProposalDecided):
        council.vote("bob", proposal, "no")
    with pytest.raises(ProposalDecided):
        council.vote("eve", proposal)


def test_the_same_vote_again_is_refused(council: Council) -> None:
    proposal = council.propose("ann", RULE)

    with pytest.raises(AlreadyVoted):
        council.vote("ann", proposal)


def test_one_member_has_one_vote_however_often_it_changes(council: Council) -> None:
    proposal = council.propose("ann", council.admit("dan"))
    council.vote("bob", proposal)
    with pytest.raises(AlreadyVoted):
        council.vote("bob", proposal)
    with pytest.raises(AlreadyVoted):
        council.vote("ann", proposal)

    assert council.proposal(proposal).tally.yes == 2


def test_only_members_propose_and_vote(council: Council) -> None:
    with pytest.raises(NotMember):
        council.propose("dan", RULE)
    proposal = council.propose("ann", RULE)
    with pytest.raises(NotMember):
        council.vote("dan", proposal)


def test_a_vote_on_nothing_is_refused(council: Council) -> None:
    with pytest.raises(ProposalUnknown):
        council.vote("ann", "0" * 64)


def test_a_proposal_runs_out_by_the_time_of_blocks(council: Council) -> None:
    proposal = council.propose("ann", RULE)
    council.vote("bob", proposal)
    found = council.proposal(proposal)

    council.late = found.expires - 1_700_000_000 - council.height  # one second too late
    with pytest.raises(ProposalExpired):
        council.vote("cat", proposal)
    council.late -= 1
    assert found.state_at(found.expires) == OPEN
    assert found.state_at(found.expires + 1) == EXPIRED
    assert council.vote("cat", proposal).state == ACCEPTED


def test_the_next_proposal_marks_those_that_ran_out(council: Council) -> None:
    old = council.propose("ann", RULE)
    council.late = 14 * 86_400 + 1
    assert council.open == [old]

    new = council.propose("bob", RULE)

    assert council.open == [new]
    expired = council.proposal(old)
    assert (expired.state, expired.decided_height) == (EXPIRED, council.height)
    with pytest.raises(ProposalExpired):
        council.vote("cat", old)


def test_open_proposals_of_one_member_are_bounded(council: Council) -> None:
    open_now = [
        council.propose("ann", ScheduleUpgrade(at_height=1000 + n, version="1.0.0"))
        for n in range(4)
    ]
    with pytest.raises(TooManyProposals):
        council.propose("ann", RULE)
    council.propose("bob", RULE)

    council.vote("bob", open_now[0], "no")

    council.propose("ann", RULE)


def test_those_that_ran_out_do_not_count_towards_the_bound(council: Council) -> None:
    for n in range(4):
        council.propose("ann", ScheduleUpgrade(at_height=1000 + n, version="1.0.0"))
    council.late = 14 * 86_400 + 5

    council.propose("ann", RULE)

    assert len(council.open) == 1


def test_the_largest_proposal_is_small() -> None:
    types = tuple("x" * 60 + f"-{n:03}" for n in range(64))
    grant = {
        "accreditation": identifier("a"),
        "subject": did_of(NETWORK, bytes(20)),
        "role": "authority",
        "types": list(types),
        "until_height": 2**53 - 1,
    }
    body = {"change": "accredit", "details": grant, "reason": "a" * 64}
    assert Propose.parse(body).to_body() == body
    assert len(canonical_json(body)) < 8192

    with pytest.raises(Malformed):
        Propose.parse(body | {"reason": "a" * 65})
    with pytest.raises(Malformed):
        Propose.parse(body | {"details": grant | {"types": [*types, "one-more"]}})


# --- nobody alone


def test_a_lone_root_grants_nothing_when_there_are_others(council: Council) -> None:
    with pytest.raises(MayNotAccredit):
        council.act("ann", council.grant("a", "dan"))


def test_a_lone_root_neither_suspends_nor_ends(council: Council) -> None:
    council.decide(council.grant("a", "dan"), "ann", "bob", "cat")

    for action in (SuspendAccreditation, ReinstateAccreditation, EndAccreditation):
        with pytest.raises(NotAccreditor):
            council.act("ann", action(accreditation=identifier("a"), reason="audit"))


def test_a_lone_root_publishes_and_registers_nothing(council: Council) -> None:
    with pytest.raises(MayNotPublishSchema):
        council.act("ann", PublishSchema(name="degree", version="1", schema=SCHEMA))
    party = RegisterRelyingParty(party=council.did["dan"], name="Bar", purposes=(purpose(),))
    with pytest.raises(MayNotRegister):
        council.act("ann", party)


def test_a_single_root_loses_its_powers_with_the_second_member() -> None:
    ledger = Council(founders=("ann",))
    ledger.join("dan")
    ledger.act("ann", ledger.grant("a", "dan"))

    assert ledger.decide(ledger.admit("dan"), "ann").state == ACCEPTED

    with pytest.raises(MayNotAccredit):
        ledger.act("ann", ledger.grant("b", "dan"))
    assert grant_of(ledger, "a").is_active(ledger.height)
    ledger.decide(ledger.remove("dan"), "ann", "dan")
    ledger.act("ann", ledger.grant("b", "dan"))


def test_who_was_admitted_and_is_left_alone_decides_by_its_vote_only() -> None:
    ledger = Council(founders=("ann",))
    ledger.join("dan")
    ledger.decide(ledger.admit("dan"), "ann")
    ledger.decide(ledger.remove("ann"), "ann", "dan")

    with pytest.raises(MayNotAccredit):  # no reader has dan's DID among its roots
        ledger.act("dan", ledger.grant("a", "ann"))
    with pytest.raises(MayNotAccredit):
        ledger.act("ann", ledger.grant("a", "dan"))
    assert ledger.decide(ledger.grant("a", "ann"), "dan").state == ACCEPTED


def test_the_vote_of_a_single_member_is_the_quorum() -> None:
    ledger = Council(founders=("ann",))

    assert ledger.decide(RULE, "ann").state == ACCEPTED
    assert rules_of(ledger).voting_seconds == 3600
    assert ledger.open == []


# --- changes


def test_a_grant_by_vote_ends_a_chain(council: Council) -> None:
    proposal = council.decide(council.grant("a", "dan", role="issuer"), "cat", "bob", "ann")

    grant = grant_of(council, "a")
    assert (grant.granted_by, grant.proposal) == (council.did["cat"], proposal.id)
    assert (grant.under, grant.depth) == (None, 1)
    assert is_accredited(
        council.did["dan"],
        "degree",
        council.height,
        accreditations=[grant],
        read=lambda _id: None,
        roots=[council.did["ann"]],
    )
    council.act(
        "dan", AnchorBatch(batch=identifier("b"), root=bytes(32), count=1, types=("degree",))
    )


def test_a_grant_by_vote_is_suspended_reinstated_and_ended_by_vote(council: Council) -> None:
    council.decide(council.grant("a", "dan"), "ann", "bob", "cat")
    name = identifier("a")

    council.decide(SuspendAccreditation(accreditation=name, reason="audit"), "ann", "bob", "cat")
    assert not grant_of(council, "a").is_active(council.height)
    council.decide(ReinstateAccreditation(accreditation=name, reason="audit"), "ann", "bob", "cat")
    assert grant_of(council, "a").is_active(council.height)
    council.decide(EndAccreditation(accreditation=name, reason="audit"), "ann", "bob", "cat")
    assert grant_of(council, "a").is_over(council.height)
    assert grant_of(council, "a").proposal is not None


def test_a_removed_member_has_no_powers_and_its_grants_stay(council: Council) -> None:
    council.decide(council.grant("a", "dan"), "cat", "ann", "bob")
    council.decide(council.remove("cat"), "ann", "bob", "cat")

    removed = council.member("cat")
    assert (removed.active, removed.until_height) == (False, council.height)
    assert council.active == ["ann", "bob"]
    with pytest.raises(NotMember):
        council.propose("cat", RULE)
    proposal = council.propose("ann", RULE)
    with pytest.raises(NotMember):
        council.vote("cat", proposal)
    assert grant_of(council, "a").is_active(council.height)


def test_a_removed_members_vote_counts_no_more() -> None:
    council = Council(founders=("ann", "bob", "cat", "eve"))
    pending = council.propose("cat", RULE)
    council.vote("ann", pending)
    council.decide(council.remove("cat"), "ann", "bob", "eve")

    found = council.vote("bob", pending)

    assert (found.state, found.tally.yes, found.tally.members) == (OPEN, 2, 3)
    assert council.vote("eve", pending).state == ACCEPTED


def test_a_vote_repeated_decides_after_a_removal() -> None:
    council = Council(founders=("a", "b", "c", "d", "e"))
    half = ChangeRule(rule="quorum", value=Quorum(numerator=1, denominator=2))
    council.decide(half, "a", "b", "c", "d")
    pending = council.propose("a", RULE)
    council.vote("b", pending)
    council.vote("c", pending, "no")
    council.decide(council.remove("e"), "a", "b", "d")
    council.decide(council.remove("d"), "a", "b", "c")

    assert council.vote("a", pending).state == ACCEPTED  # two of three, said before


def test_a_former_member_can_be_admitted_again(council: Council) -> None:
    council.decide(council.remove("cat"), "ann", "bob", "cat")

    council.decide(council.admit("cat"), "ann", "bob")

    again = council.member("cat")
    assert (again.active, again.until_height, again.since_height) == (True, None, council.height)
    assert MemberList.parse(council.state[MEMBERS_KEY]).former == ()


def test_what_cannot_be_carried_out_is_refused_at_once(council: Council) -> None:
    one = pair("validator").key
    council.decide(council.grant("a", "dan"), "ann", "bob", "cat")
    council.decide(
        SetValidatorKey(member=council.did["ann"], validator_key=one), "ann", "bob", "cat"
    )
    gone = council.join("gone")
    council.act("gone", DeactivateDid(version=1))
    nobody = did_of(NETWORK, bytes(20))

    def admit(member: str, name: str = "new", key: Any = None) -> AdmitMember:
        return AdmitMember(member=member, name=name, validator_key=key)

    with pytest.raises(MemberExists):
        council.propose("ann", admit(council.did["bob"]))
    with pytest.raises(SubjectUnknown):
        council.propose("ann", admit(nobody))
    with pytest.raises(SubjectDeactivated):
        council.propose("ann", admit(gone))
    with pytest.raises(MemberNameTaken):
        council.propose("ann", council.admit("dan", called="bob"))
    with pytest.raises(ValidatorKeyTaken):
        council.propose("ann", admit(council.did["dan"], key=one))
    with pytest.raises(ValidatorKeyTaken):
        council.propose("ann", SetValidatorKey(member=council.did["bob"], validator_key=one))
    with pytest.raises(MemberUnknown):
        council.propose("ann", council.remove("dan"))
    with pytest.raises(MemberUnknown):
        council.propose("ann", SetValidatorKey(member=council.did["dan"], validator_key=None))
    with pytest.raises(RuleUnchanged):
        council.propose("ann", ChangeRule(rule="voting-seconds", value=14 * 86_400))
    with pytest.raises(HeightHasPassed):
        council.propose("ann", ScheduleUpgrade(at_height=council.height + 1, version="1.0.0"))
    with pytest.raises(AccreditationExists):
        council.propose("ann", council.grant("a", "dan"))
    assert council.open == []


def test_the_last_member_cannot_be_removed() -> None:
    ledger = Council(founders=("ann",))

    with pytest.raises(LastMember):
        ledger.propose("ann", ledger.remove("ann"))


def test_a_change_that_the_state_has_overtaken_fails(council: Council) -> None:
    pending = council.propose("ann", council.admit("dan"))
    council.vote("bob", pending)
    council.act("dan", DeactivateDid(version=1))

    failed = council.vote("cat", pending)

    assert (failed.state, failed.failure) == (FAILED, "SubjectDeactivated")
    assert council.active == ["ann", "bob", "cat"]
    assert council.open == []


def test_members_are_bounded(council: Council) -> None:
    many = tuple(did_of(NETWORK, n.to_bytes(20, "big")) for n in range(1, MAX_EVER + 1))
    listed = MemberList.parse(council.state[MEMBERS_KEY])
    own = council.member("ann")

    def with_members(active: int, former: int) -> None:
        dids = (*listed.active, *many)
        record = MemberList(
            active=dids[:active], former=dids[active : active + former], height=0, time=0
        )
        council.state[MEMBERS_KEY] = record.encode()
        for number, did in enumerate(dids[3:active]):
            key = pair(f"v {number}").key
            other = Member.parse(own.to_object() | {"member": did, "name": f"m {number}"})
            council.state[member_key(did)] = other.encode()
            assert other.validator_key != key

    with_members(MAX_MEMBERS, 0)
    with pytest.raises(TooManyMembers):
        council.propose("ann", council.admit("dan"))
    with_members(MAX_MEMBERS - 1, MAX_EVER - MAX_MEMBERS + 1)
    with pytest.raises(TooManyMembers):
        council.propose("ann", council.admit("dan"))
    with_members(MAX_MEMBERS - 1, MAX_EVER - MAX_MEMBERS)
    council.propose("ann", council.admit("dan"))


def test_a_validator_key_is_set_and_taken_away(council: Council) -> None:
    key = pair("validator").key
    did = council.did["bob"]
    other = SetValidatorKey(member=council.did["cat"], validator_key=pair("other").key)
    council.decide(other, "ann", "bob", "cat")

    council.decide(SetValidatorKey(member=did, validator_key=key), "ann", "bob", "cat")
    assert council.member("bob").validator_key == key
    council.decide(SetValidatorKey(member=did, validator_key=None), "ann", "bob", "cat")
    assert council.member("bob").validator_key is None


def test_an_upgrade_is_scheduled_and_replaced(council: Council) -> None:
    for number in (1, 2):
        change = ScheduleUpgrade(at_height=1000 * number, version=f"{number}.0.0")
        decided = council.decide(change, "ann", "bob", "cat")

    record = UpgradeRecord.parse(council.state[UPGRADE_KEY])
    assert (record.at_height, record.version, record.proposal) == (2000, "2.0.0", decided.id)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("quorum", {"numerator": 2, "denominator": 5}),
        ("quorum", {"numerator": 3, "denominator": 3}),
        ("quorum", {"numerator": 0, "denominator": 1}),
        ("quorum", {"numerator": 60, "denominator": 101}),
        ("quorum", 2),
        ("voting-seconds", 59),
        ("voting-seconds", 90 * 86_400 + 1),
        ("voting-seconds", True),
        ("open-proposals", 0),
        ("open-proposals", 9),
        ("disclosure-signers", 1),
        ("disclosure-signers", 9),
        ("administrator", 1),
        (None, 1),
    ],
)
def test_no_vote_leaves_the_bounds_of_the_rules(rule: Any, value: Any) -> None:
    with pytest.raises(Malformed):
        read_change("change-rule", {"rule": rule, "value": value})


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("quorum", {"numerator": 1, "denominator": 2}),
        ("quorum", {"numerator": 99, "denominator": 100}),
        ("voting-seconds", 60),
        ("voting-seconds", 90 * 86_400),
        ("open-proposals", 8),
        ("disclosure-signers", 8),
    ],
)
def test_every_rule_can_be_changed_within_its_bounds(rule: str, value: Any) -> None:
    council = Council(founders=("ann",))
    change = read_change("change-rule", {"rule": rule, "value": value})

    council.decide(change, "ann")

    assert rules_of(council).to_object()[rule.replace("-", "_")] == value
    assert change.to_body() == {"rule": rule, "value": value}


@pytest.mark.parametrize(
    ("name", "details"),
    [
        ("seize-power", {}),
        (None, {}),
        ("admit-member", {"member": "did:key:z6Mk", "name": "X", "validator_key": None}),
        ("schedule-upgrade", {"at_height": 5, "version": "v1"}),
        ("schedule-upgrade", {"at_height": 0, "version": "1.0.0"}),
    ],
)
def test_a_malformed_change_is_refused(name: Any, details: Any) -> None:
    with pytest.raises(Malformed):
        read_change(name, details)


def test_a_validator_key_is_an_ed25519_key() -> None:
    member = did_of(NETWORK, bytes(20))
    details = {"member": member, "name": "X", "validator_key": P256Pair(5).key.multikey}

    with pytest.raises(Malformed):
        read_change("admit-member", details)


@pytest.mark.parametrize(
    "body", [{"proposal": "A" * 64, "vote": "yes"}, {"proposal": "0" * 64, "vote": "maybe"}]
)
def test_a_malformed_vote_is_refused(body: Any) -> None:
    with pytest.raises(Malformed):
        CastVote.parse(body)


@pytest.mark.parametrize("key", [MEMBERS_KEY, RULES_KEY])
def test_without_members_or_rules_nothing_is_decided(council: Council, key: str) -> None:
    proposal = council.propose("ann", RULE)
    council.state.pop(key)

    with pytest.raises(StateDamaged):
        council.vote("bob", proposal)


def test_damaged_lists_decide_nothing(council: Council) -> None:
    old = council.propose("ann", RULE)
    council.late = 14 * 86_400 + 1
    del council.state[f"proposal/{old}"]
    with pytest.raises(StateDamaged):
        council.propose("bob", RULE)
    former = council.member("cat").to_object() | {"active": False, "until_height": 1}
    council.state[member_key(council.did["cat"])] = Member.parse(former).encode()
    with pytest.raises(StateDamaged):
        council.propose("bob", council.remove("cat"))


def test_the_list_of_proposals_is_there_from_the_first_on(council: Council) -> None:
    assert PROPOSALS_KEY not in council.state
    council.propose("ann", RULE)
    assert PROPOSALS_KEY in council.state


def test_the_plain_test_ledger_has_one_member() -> None:
    assert MemberList.parse(TestLedger().state[MEMBERS_KEY]).active == (TestLedger().root,)
