"""The rules against a plain model: sets and dictionaries, no bytes, no signatures' details."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from registry.core.accreditation import Accreditation, is_accredited
from registry.core.accreditation_actions import (
    Accredit,
    EndAccreditation,
    ReinstateAccreditation,
    SuspendAccreditation,
)
from registry.core.anchors import AnchorBatch, BatchRecord
from registry.core.did import DidDetails
from registry.core.did_actions import DeactivateDid, UpdateDid
from registry.core.did_record import DidRecord
from registry.core.governance_changes import AdmitMember, ChangeRule, RemoveMember
from registry.core.membership import MemberList
from registry.core.network_rules import NetworkRules, Quorum
from registry.core.proposals import CastVote, Proposal, Propose
from registry.core.records import (
    MEMBERS_KEY,
    RULES_KEY,
    accreditation_key,
    batch_key,
    did_key,
    proposal_key,
    status_key,
)
from registry.core.refusals import Conflict, NotFound, NotPermitted, Refusal
from registry.core.status import PublishStatus, StatusGroupRecord
from registry.core.transactions import parse_transaction
from tests.registry.core.actors import Pair, identifier, method, pair
from tests.registry.core.council import Council

NAMES = ("ann", "bob", "cat")
TYPES = ("degree", "residence")
GRANTS = tuple(f"grant-{n}" for n in range(4))

names = st.sampled_from(NAMES)
anyone = st.sampled_from(("root", *NAMES))
grants = st.sampled_from(GRANTS)
some_types = st.lists(st.sampled_from(TYPES), min_size=1, unique=True).map(tuple)


@dataclass
class Grant:
    """A grant as a person would note it down: for each height, whether it counts."""

    subject: str
    role: str
    types: tuple[str, ...]
    by: str
    above: str | None
    born: int
    until: int | None
    off: set[int] = field(default_factory=set)  # heights at which it was suspended
    suspended: bool = False
    ended: int | None = None

    def counts(self, height: int) -> bool:
        over = self.ended is not None and height >= self.ended
        over = over or (self.until is not None and height > self.until)
        return height >= self.born and height not in self.off and not over


@dataclass
class Asked:
    """A proposal as a person would note it down."""

    id: str
    by: str
    what: tuple[Any, ...]
    votes: dict[str, str]
    until: int
    state: str = "open"


class Registry(RuleBasedStateMachine):
    """Random requests; the model says beforehand whether each is taken."""

    @initialize()
    def begin(self) -> None:
        self.ledger = Council(founders=("root",))
        self.members = ["root"]
        self.quorum = (2, 3)
        self.asked: list[Asked] = []
        self.did = {"root": self.ledger.root}
        self.keys: dict[str, tuple[str, Pair]] = {"root": ("governance-1", pair("root"))}
        self.version: dict[str, int] = {}
        self.dead: set[str] = set()
        self.grants: dict[str, Grant] = {}
        self.batches: set[tuple[str, str]] = set()
        self.status: dict[str, int] = {}
        for name in NAMES:
            self.did[name] = self.ledger.create(name)
            self.tick()
            self.keys[name] = ("ledger-1", pair(name))
            self.version[name] = 1

    def tick(self) -> None:
        """A block was made: who is suspended now was so at that height."""
        for grant in self.grants.values():
            if grant.suspended:
                grant.off.add(self.ledger.height)

    def ask(
        self, who: str, action: Any, *, taken: bool, more: dict[str, Pair] | None = None
    ) -> bool:
        """Ask, and compare the answer with what the model says."""
        fragment, held = self.keys[who]
        taken = taken and who not in self.dead
        refused: Refusal | None = None
        raw = self.ledger.signed(self.did[who], action, keys={fragment: held, **(more or {})})
        self.last = parse_transaction(raw).id
        try:
            self.ledger.apply(raw)
        except Refusal as refusal:
            refused = refusal
        assert (refused is None) == taken, repr(refused)
        assert refused is None or isinstance(refused, NotPermitted | NotFound | Conflict)
        return taken

    @property
    def next(self) -> int:
        return self.ledger.height + 1

    def will_count(self, grant: Grant) -> bool:
        """Whether a grant counts in the block that is being made."""
        # Its height is in no `off` before it is made; who is suspended is so in it.
        return grant.counts(self.next) and not grant.suspended

    @rule(who=names)
    def rotate(self, who: str) -> None:
        number = self.version[who] + 1
        fragment, held = f"ledger-{number}", pair(f"{who} {number}")
        details = DidDetails(verification_methods=(method(fragment, held),))
        if self.ask(
            who,
            UpdateDid(version=self.version[who], details=details),
            taken=True,
            more={fragment: held},
        ):
            self.keys[who] = (fragment, held)
            self.version[who] = number
            self.tick()

    @rule(who=names, stale=st.integers(1, 3))
    def update_a_stale_version(self, who: str, stale: int) -> None:
        fragment, held = self.keys[who]
        details = DidDetails(verification_methods=(method(fragment, held),))
        if self.ask(
            who,
            UpdateDid(version=stale, details=details),
            taken=stale == self.version[who],
        ):
            self.version[who] += 1
            self.tick()

    @rule(who=st.sampled_from(("cat",)))
    def deactivate(self, who: str) -> None:
        if self.ask(who, DeactivateDid(version=self.version[who]), taken=True):
            self.dead.add(who)
            self.version[who] += 1
            self.tick()

    @rule(
        who=anyone,
        name=grants,
        subject=names,
        role=st.sampled_from(("authority", "issuer")),
        types=some_types,
        lasting=st.none() | st.integers(-1, 12),
    )
    def accredit(
        self,
        who: str,
        name: str,
        subject: str,
        role: str,
        types: tuple[str, ...],
        lasting: int | None,
    ) -> None:
        until = None if lasting is None else max(0, self.next + lasting)
        above = None
        fits = True
        if not self.alone(who):
            mandates = [
                key
                for key, g in self.grants.items()
                if g.subject == who
                and g.role == "authority"
                and set(types) <= set(g.types)
                and self.will_count(g)
                and self.depth(key) < 4
                and (g.until is None or (until is not None and until <= g.until))
            ]
            fits = bool(mandates)
            above = mandates[0] if mandates else None
        taken = (
            fits
            and name not in self.grants
            and subject not in self.dead
            and (until is None or until >= self.next)
        )
        action = Accredit(
            accreditation=identifier(name),
            subject=self.did[subject],
            role=role,
            types=types,
            until_height=until,
        )
        if self.ask(who, action, taken=taken):
            self.tick()
            self.grants[name] = Grant(
                subject=subject,
                role=role,
                types=types,
                by=who,
                above=above,
                born=self.ledger.height,
                until=until,
            )

    def depth(self, name: str) -> int:
        above = self.grants[name].above
        return 1 if above is None else 1 + self.depth(above)

    def may_change(self, who: str, name: str) -> bool:
        if name not in self.grants:
            return False
        grant = self.grants[name]
        over = grant.ended is not None or (grant.until is not None and self.next > grant.until)
        above, found = grant.above, self.alone(who)
        while above is not None:
            found = found or (
                self.grants[above].subject == who and self.will_count(self.grants[above])
            )
            above = self.grants[above].above
        return found and not over

    @rule(who=anyone, name=grants)
    def suspend(self, who: str, name: str) -> None:
        taken = self.may_change(who, name) and not self.grants[name].suspended
        action = SuspendAccreditation(accreditation=identifier(name), reason="audit")
        if self.ask(who, action, taken=taken):
            self.grants[name].suspended = True
            self.tick()

    @rule(who=anyone, name=grants)
    def reinstate(self, who: str, name: str) -> None:
        taken = self.may_change(who, name) and self.grants[name].suspended
        action = ReinstateAccreditation(accreditation=identifier(name), reason="audit")
        if self.ask(who, action, taken=taken):
            self.grants[name].suspended = False
            self.tick()

    @rule(who=anyone, name=grants)
    def end(self, who: str, name: str) -> None:
        action = EndAccreditation(accreditation=identifier(name), reason="closed")
        if self.ask(who, action, taken=self.may_change(who, name)):
            self.grants[name].ended = self.ledger.height
            self.tick()

    @rule(who=anyone, batch=st.sampled_from(("x", "y", "z")), types=some_types)
    def anchor(self, who: str, batch: str, types: tuple[str, ...]) -> None:
        taken = self.covers_now(who, types) and (who, batch) not in self.batches
        action = AnchorBatch(batch=identifier(batch), root=bytes(32), count=1, types=types)
        if self.ask(who, action, taken=taken):
            self.batches.add((who, batch))
            self.tick()
            record = BatchRecord.parse(
                self.ledger.state[batch_key(self.did[who], identifier(batch))]
            )
            assert (record.height, record.types) == (self.ledger.height, types)

    def covers_now(self, who: str, types: tuple[str, ...]) -> bool:
        return all(
            any(
                g.subject == who and g.role == "issuer" and type in g.types and self.will_count(g)
                for g in self.grants.values()
            )
            for type in types
        )

    @rule(who=anyone, version=st.integers(1, 3))
    def publish(self, who: str, version: int) -> None:
        held = [g for g in self.grants.values() if g.subject == who and g.role == "issuer"]
        published = self.status.get(who, 0)
        able = any(not g.suspended and (published or g.counts(self.next)) for g in held)
        action = PublishStatus(
            group="g", version=version, lists={f"https://{who}.example/s": bytes(32)}
        )
        if self.ask(who, action, taken=able and version == published + 1):
            self.status[who] = version
            self.tick()

    def alone(self, who: str) -> bool:
        """Whether this is the root, and nobody else is a member."""
        return self.members == [who] == ["root"]

    @property
    def time(self) -> int:
        """Of the block that is being made."""
        return self.ledger.block().time

    def possible(self, what: tuple[Any, ...]) -> bool:
        kind, argument = what
        if kind == "admit":
            return argument not in self.members and argument not in self.dead
        if kind == "remove":
            return argument in self.members and len(self.members) > 1
        if kind == "quorum":
            return bool(argument != self.quorum)
        name, subject = argument
        return name not in self.grants and subject not in self.dead

    def take_effect(self, asked: Asked) -> None:
        kind, argument = asked.what
        if kind == "admit":
            self.members.append(argument)
        elif kind == "remove":
            self.members.remove(argument)
        elif kind == "quorum":
            self.quorum = argument
        else:
            name, subject = argument
            self.grants[name] = Grant(
                subject=subject,
                role="issuer",
                types=TYPES,
                by=asked.by,
                above=None,
                born=self.ledger.height,
                until=None,
            )

    def outcome(self, votes: dict[str, str]) -> str:
        """What a person who counts hands would say."""
        share = self.quorum[0] / self.quorum[1] + 1e-9
        everybody = len(self.members)
        yes, no = (sum(votes.get(m) == word for m in self.members) for word in ("yes", "no"))
        if yes / everybody > share:
            return "yes"
        return "open" if (everybody - no) / everybody > share else "no"

    def settle(self, asked: Asked) -> None:
        said = self.outcome(asked.votes)
        if said == "yes":
            possible = self.possible(asked.what)
            asked.state = "accepted" if possible else "failed"
            if possible:
                self.take_effect(asked)
        elif said == "no":
            asked.state = "rejected"

    @rule(
        who=anyone,
        what=st.tuples(st.just("admit"), names)
        | st.tuples(st.just("remove"), anyone)
        | st.tuples(st.just("quorum"), st.sampled_from([(1, 2), (2, 3), (3, 4)]))
        | st.tuples(st.just("grant"), st.tuples(grants, names)),
    )
    def propose(self, who: str, what: tuple[Any, ...]) -> None:
        still = [a for a in self.asked if a.state == "open" and self.time <= a.until]
        taken = who in self.members and sum(a.by == who for a in still) < 4 and self.possible(what)
        until = self.time + 14 * 86_400
        if self.ask(who, Propose(change=self.change(what), reason="model"), taken=taken):
            self.tick()
            asked = Asked(id=self.last, by=who, what=what, votes={who: "yes"}, until=until)
            self.asked.append(asked)
            self.settle(asked)

    def change(self, what: tuple[Any, ...]) -> Any:
        kind, argument = what
        if kind == "admit":
            return AdmitMember(member=self.did[argument], name=argument, validator_key=None)
        if kind == "remove":
            return RemoveMember(member=self.did[argument])
        if kind == "quorum":
            share = Quorum(numerator=argument[0], denominator=argument[1])
            return ChangeRule(rule="quorum", value=share)
        name, subject = argument
        return Accredit(
            accreditation=identifier(name),
            subject=self.did[subject],
            role="issuer",
            types=TYPES,
            until_height=None,
        )

    @precondition(lambda self: self.asked)
    @rule(who=anyone, back=st.integers(1, 4), word=st.sampled_from(("yes", "no")))
    def vote(self, who: str, back: int, word: str) -> None:
        asked = self.asked[-min(back, len(self.asked))]
        after = {**asked.votes, who: word}
        taken = (
            who in self.members
            and asked.state == "open"
            and self.time <= asked.until
            and (asked.votes.get(who) != word or self.outcome(after) != "open")
        )
        if self.ask(who, CastVote(proposal=asked.id, vote=word), taken=taken):
            self.tick()
            asked.votes = after
            self.settle(asked)

    @rule(days=st.integers(1, 9))
    def wait(self, days: int) -> None:
        self.ledger.late += days * 86_400

    @invariant()
    def the_members_are_those_of_the_model(self) -> None:
        if not hasattr(self, "ledger"):
            return
        state = self.ledger.state
        assert MemberList.parse(state[MEMBERS_KEY]).active == tuple(
            self.did[name] for name in self.members
        )
        quorum = NetworkRules.parse(state[RULES_KEY]).quorum
        assert (quorum.numerator, quorum.denominator) == self.quorum
        for asked in self.asked:
            record = Proposal.parse(state[proposal_key(asked.id)])
            over = asked.state == "open" and self.time > asked.until
            assert record.state_at(self.time) == ("expired" if over else asked.state)
            assert {vote.member: vote.vote for vote in record.votes} == {
                self.did[name]: word for name, word in asked.votes.items()
            }

    @invariant()
    def the_ledger_says_what_the_model_says(self) -> None:
        if not hasattr(self, "ledger"):
            return
        state = self.ledger.state
        read = {
            identifier(name): Accreditation.parse(state[accreditation_key(identifier(name))])
            for name in self.grants
        }
        for name, grant in self.grants.items():
            record = read[identifier(name)]
            for height in range(self.ledger.height + 1):
                assert record.is_active(height) == grant.counts(height), (name, height)
            assert is_accredited(
                self.did[grant.subject],
                grant.types[0],
                self.ledger.height,
                accreditations=[record],
                read=read.get,
                roots=[self.did["root"]],
            ) == (grant.role == "issuer" and grant.counts(self.ledger.height))
        for who in NAMES:
            newest = DidRecord.parse(state[did_key(self.did[who])])
            assert newest.version == self.version[who]
            assert newest.deactivated == (who in self.dead)
        for who, version in self.status.items():
            group = StatusGroupRecord.parse(state[status_key(self.did[who], "g")])
            assert group.version == version


TestRegistry = Registry.TestCase
TestRegistry.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
