"""Granting and changing accreditations: only from above, and never for longer or more."""

from dataclasses import replace
from typing import Any

import pytest

from registry.core.accreditation import (
    MAX_PER_SUBJECT,
    MAX_SUSPENSIONS,
    Accreditation,
    AccreditationList,
    is_accredited,
)
from registry.core.accreditation_actions import (
    Accredit,
    EndAccreditation,
    ReinstateAccreditation,
    SuspendAccreditation,
)
from registry.core.accreditation_history import Suspension
from registry.core.accreditation_rules import (
    AccreditationExists,
    AccreditationOver,
    AccreditationUnknown,
    AlreadySuspended,
    BeyondMandate,
    HeightHasPassed,
    MayNotAccredit,
    NotAccreditor,
    NotSuspended,
    TooManyAccreditations,
    TooManySuspensions,
)
from registry.core.context import SubjectDeactivated, SubjectUnknown
from registry.core.did_actions import DeactivateDid
from registry.core.identifiers import did_of
from registry.core.records import StateDamaged, accreditation_key, accreditations_key
from registry.core.refusals import Malformed
from tests.registry.core.actors import TestLedger, identifier


class Story(TestLedger):
    """A ministry (the root), an authority, a university under it, and a stranger."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.authority = self.create("authority")
        self.university = self.create("university")
        self.stranger = self.create("stranger")

    def grant(
        self,
        name: str,
        subject: str,
        *,
        by: str = "root",
        role: str = "issuer",
        types: tuple[str, ...] = ("degree",),
        until: int | None = None,
    ) -> Accreditation:
        action = Accredit(
            accreditation=identifier(name),
            subject=subject,
            role=role,
            types=types,
            until_height=until,
        )
        self.act(by, action)
        return self.read(name)

    def act(self, by: str, action: Any) -> None:
        if by == "root":
            self.as_root(action)
        else:
            self.ask(by, getattr(self, by), action)

    def read(self, name: str) -> Accreditation:
        return Accreditation.parse(self.state[accreditation_key(identifier(name))])


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def chain(story: Story) -> Story:
    """The ministry made the authority, and the authority the university."""
    story.grant("authority", story.authority, role="authority", types=("degree", "residence"))
    story.grant("university", story.university, by="authority")
    return story


def test_a_root_grants(story: Story) -> None:
    grant = story.grant("one", story.university, until=100)

    assert (grant.granted_by, grant.under, grant.depth) == (story.root, None, 1)
    assert (grant.from_height, grant.until_height) == (story.height, 100)
    assert grant.time == 1_700_000_000 + story.height


def test_an_authority_grants_under_its_own_accreditation(chain: Story) -> None:
    grant = chain.read("university")

    assert (grant.granted_by, grant.under) == (chain.authority, identifier("authority"))
    assert grant.depth == 2
    assert is_accredited(
        chain.university,
        "degree",
        chain.height,
        accreditations=[grant],
        read=lambda _id: chain.read("authority"),
        roots=[chain.root],
    )


def test_grants_are_listed_in_their_order(story: Story) -> None:
    names = ["c", "a", "b"]
    for name in names:
        story.grant(name, story.university)

    listed = AccreditationList.parse(story.state[accreditations_key(story.university)])

    assert listed.accreditations == tuple(identifier(name) for name in names)


def test_a_stranger_grants_nothing(story: Story) -> None:
    with pytest.raises(MayNotAccredit):
        story.grant("one", story.university, by="stranger")


@pytest.mark.parametrize("role", ["issuer", "registrar"])
def test_only_an_authority_grants(story: Story, role: str) -> None:
    story.grant("own", story.stranger, role=role)

    with pytest.raises(MayNotAccredit):
        story.grant("one", story.university, by="stranger")


def test_an_authority_grants_only_its_types(chain: Story) -> None:
    for types in (("driving-licence",), ("degree", "driving-licence")):
        with pytest.raises(MayNotAccredit):
            chain.grant("one", chain.stranger, by="authority", types=types)


def test_one_accreditation_must_cover_every_type(chain: Story) -> None:
    chain.grant("second", chain.authority, role="authority", types=("driving-licence",))

    with pytest.raises(MayNotAccredit):
        chain.grant("one", chain.stranger, by="authority", types=("degree", "driving-licence"))
    assert chain.grant(
        "two", chain.stranger, by="authority", types=("driving-licence",)
    ).under == identifier("second")


def test_a_suspended_or_ended_authority_grants_nothing(chain: Story) -> None:
    change = {"accreditation": identifier("authority"), "reason": "audit"}
    chain.as_root(SuspendAccreditation(**change))
    with pytest.raises(MayNotAccredit):
        chain.grant("one", chain.stranger, by="authority")
    chain.as_root(ReinstateAccreditation(**change))
    chain.grant("two", chain.stranger, by="authority")
    chain.as_root(EndAccreditation(**change))
    with pytest.raises(MayNotAccredit):
        chain.grant("three", chain.stranger, by="authority")


def test_an_authority_that_ran_out_grants_nothing(story: Story) -> None:
    until = story.height + 2
    story.grant("own", story.authority, role="authority", until=until)
    story.grant("in time", story.university, by="authority", until=until)

    with pytest.raises(MayNotAccredit):
        story.grant("late", story.university, by="authority", until=until + 9)


def test_grants_stay_when_their_authority_ends(chain: Story) -> None:
    chain.as_root(EndAccreditation(accreditation=identifier("authority"), reason="closed"))

    assert is_accredited(
        chain.university,
        "degree",
        chain.height + 1,
        accreditations=[chain.read("university")],
        read=lambda _id: chain.read("authority"),
        roots=[chain.root],
    )


@pytest.mark.parametrize("until", [None, 51])
def test_a_grant_does_not_outlive_its_authority(story: Story, until: int | None) -> None:
    story.grant("own", story.authority, role="authority", until=50)

    with pytest.raises(BeyondMandate):
        story.grant("one", story.university, by="authority", until=until)
    story.grant("two", story.university, by="authority", until=50)


def test_a_chain_has_an_end(story: Story) -> None:
    holders = [("root", story.root)]
    for depth in range(1, 5):
        name = f"level{depth}"
        setattr(story, name, story.create(name))
        story.grant(name, getattr(story, name), by=holders[-1][0], role="authority")
        holders.append((name, getattr(story, name)))

    assert story.read("level4").depth == 4
    with pytest.raises(BeyondMandate):
        story.grant("too deep", story.university, by="level4")


def test_a_subject_must_exist(story: Story) -> None:
    with pytest.raises(SubjectUnknown):
        story.grant("one", did_of("cairn-test", bytes(20)))


def test_a_subject_must_be_alive(story: Story) -> None:
    story.ask("university", story.university, DeactivateDid(version=1))

    with pytest.raises(SubjectDeactivated):
        story.grant("one", story.university)


def test_an_id_is_used_once(story: Story) -> None:
    story.grant("one", story.university)

    with pytest.raises(AccreditationExists):
        story.grant("one", story.stranger)


def test_a_grant_does_not_run_out_before_it_begins(story: Story) -> None:
    with pytest.raises(HeightHasPassed):
        story.grant("one", story.university, until=story.height)
    story.grant("two", story.university, until=story.height + 1)


def test_a_subject_holds_so_many_and_no_more(story: Story) -> None:
    full = AccreditationList(
        subject=story.university,
        accreditations=tuple(identifier(str(n)) for n in range(MAX_PER_SUBJECT)),
    )
    story.state[accreditations_key(story.university)] = full.encode()

    with pytest.raises(TooManyAccreditations):
        story.grant("one", story.university)


def test_suspension_and_reinstatement_are_kept_as_heights(chain: Story) -> None:
    change = {"accreditation": identifier("university"), "reason": "audit"}

    chain.ask("authority", chain.authority, SuspendAccreditation(**change))
    suspended_at = chain.height
    chain.create("time passes")
    chain.as_root(ReinstateAccreditation(**change))

    grant = chain.read("university")
    assert [(s.start, s.stop) for s in grant.suspensions] == [(suspended_at, chain.height)]
    assert grant.covers("degree", suspended_at - 1)
    assert not grant.covers("degree", suspended_at)
    assert not grant.covers("degree", suspended_at + 1)
    assert grant.covers("degree", chain.height)


def test_an_ending_is_for_ever(chain: Story) -> None:
    change = {"accreditation": identifier("university"), "reason": "closed"}
    chain.ask("authority", chain.authority, EndAccreditation(**change))

    grant = chain.read("university")
    assert grant.covers("degree", chain.height - 1)
    assert not grant.covers("degree", chain.height)
    for action in (SuspendAccreditation, ReinstateAccreditation, EndAccreditation):
        with pytest.raises(AccreditationOver):
            chain.as_root(action(**change))


def test_a_grant_that_ran_out_is_over(story: Story) -> None:
    story.grant("one", story.university, until=story.height + 1)

    with pytest.raises(AccreditationOver):
        story.as_root(EndAccreditation(accreditation=identifier("one"), reason="closed"))


CHANGES = [SuspendAccreditation, ReinstateAccreditation, EndAccreditation]


@pytest.mark.parametrize("action", CHANGES)
def test_only_those_above_change_a_grant(chain: Story, action: Any) -> None:
    change = action(accreditation=identifier("university"), reason="audit")
    chain.grant("other", chain.stranger, role="authority")

    for by in ("stranger", "university"):
        with pytest.raises(NotAccreditor):
            chain.act(by, change)
    with pytest.raises(NotAccreditor):  # nor its own
        chain.act("authority", replace(change, accreditation=identifier("authority")))


@pytest.mark.parametrize("action", CHANGES)
def test_an_ended_authority_changes_nothing(chain: Story, action: Any) -> None:
    chain.as_root(EndAccreditation(accreditation=identifier("authority"), reason="closed"))

    with pytest.raises(NotAccreditor):
        chain.act("authority", action(accreditation=identifier("university"), reason="audit"))


def test_an_authority_further_up_may_end(story: Story) -> None:
    story.grant("top", story.authority, role="authority")
    story.grant("middle", story.university, by="authority", role="authority")
    story.grant("bottom", story.stranger, by="university")

    story.act("authority", EndAccreditation(accreditation=identifier("bottom"), reason="fraud"))

    assert story.read("bottom").ended is not None


@pytest.mark.parametrize("action", CHANGES)
def test_an_unknown_accreditation_is_refused(story: Story, action: Any) -> None:
    with pytest.raises(AccreditationUnknown):
        story.as_root(action(accreditation=identifier("none"), reason="audit"))


def test_suspending_twice_and_reinstating_twice_is_refused(chain: Story) -> None:
    change = {"accreditation": identifier("university"), "reason": "audit"}
    with pytest.raises(NotSuspended):
        chain.as_root(ReinstateAccreditation(**change))
    chain.as_root(SuspendAccreditation(**change))
    with pytest.raises(AlreadySuspended):
        chain.as_root(SuspendAccreditation(**change))
    chain.as_root(ReinstateAccreditation(**change))
    with pytest.raises(NotSuspended):
        chain.as_root(ReinstateAccreditation(**change))


def test_suspensions_have_an_end(story: Story) -> None:
    grant = story.grant("one", story.university)
    many = tuple(Suspension(start=n, stop=n, reason="audit") for n in range(MAX_SUSPENSIONS))
    story.state[accreditation_key(grant.id)] = replace(grant, suspensions=many).encode()

    with pytest.raises(TooManySuspensions):
        story.as_root(SuspendAccreditation(accreditation=grant.id, reason="audit"))
    story.as_root(EndAccreditation(accreditation=grant.id, reason="closed"))


def test_nothing_is_decided_on_a_damaged_state(chain: Story) -> None:
    del chain.state[accreditation_key(identifier("authority"))]
    with pytest.raises(StateDamaged):
        chain.grant("one", chain.stranger, by="authority")
    chain.state[accreditations_key(chain.authority)] = b"{}"
    with pytest.raises(StateDamaged):
        chain.grant("one", chain.stranger, by="authority")


BAD_BODIES: dict[str, Any] = {
    "a short id": {"accreditation": "AAAA"},
    "a subject that is no DID": {"subject": "university"},
    "a subject with a line end": {"subject": did_of("n", bytes(20)) + "\n"},
    "an unknown role": {"role": "root"},
    "no types": {"types": []},
    "65 types": {"types": [f"t{n}" for n in range(65)]},
    "a type twice": {"types": ["degree", "degree"]},
    "types as a string": {"types": "degree"},
    "a height of true": {"until_height": True},
    "a height below zero": {"until_height": -1},
    "an unknown member": {"note": "x"},
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_grant_is_refused(name: str) -> None:
    body = Accredit(
        accreditation=identifier("x"),
        subject=did_of("n", bytes(20)),
        role="issuer",
        types=("degree",),
        until_height=None,
    ).to_body()
    Accredit.parse(body)

    with pytest.raises(Malformed):
        Accredit.parse(body | BAD_BODIES[name])


@pytest.mark.parametrize("action", CHANGES)
@pytest.mark.parametrize("reason", ["", "Fraud", "a b", "x" * 65, "1", None])
def test_a_reason_is_a_code(action: Any, reason: Any) -> None:
    action.parse({"accreditation": identifier("x"), "reason": "fraud"})

    with pytest.raises(Malformed):
        action.parse({"accreditation": identifier("x"), "reason": reason})
