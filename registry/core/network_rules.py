"""The numbers that members may change by vote, each within bounds that no vote can leave."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from registry.core.encoding import JsonObject, canonical_json
from registry.core.fields import choice, integer, members
from registry.core.records import record_members, record_object
from registry.core.refusals import Malformed

MIN_VOTING_SECONDS = 60
MAX_VOTING_SECONDS = 90 * 86_400
MAX_OPEN_PROPOSALS = 8  # of one member; the list of open ones is read whole at every vote
MAX_DISCLOSURE_SIGNERS = 8  # half of the signatures that a transaction may have
MAX_DENOMINATOR = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """What share of the active members must be exceeded by those who say yes.

    From one half to below one: two disjoint groups can never both decide, and everybody together
    always can.
    """

    numerator: int
    denominator: int

    def is_reached(self, yes: int, members: int) -> bool:
        """Whether `yes` is more than this share of `members`; in integers, without rounding."""
        return yes * self.denominator > members * self.numerator

    def to_object(self) -> JsonObject:
        """The JSON form."""
        return {"numerator": self.numerator, "denominator": self.denominator}

    @classmethod
    def parse(cls, value: object) -> "Quorum":
        """Read the JSON form.

        Raises:
            Malformed: another shape, or a share below one half, or not below one.
        """
        found = members(value, "quorum", required=("numerator", "denominator"))
        denominator = integer(found["denominator"], "denominator", low=1, high=MAX_DENOMINATOR)
        numerator = integer(found["numerator"], "numerator", low=1, high=MAX_DENOMINATOR)
        if 2 * numerator < denominator or numerator >= denominator:
            raise Malformed("quorum is not a share from one half to below one")
        return cls(numerator=numerator, denominator=denominator)


RuleValue = int | Quorum

# Name in a proposal -> how its value is read. The field of `NetworkRules` has the same name.
RULES: Mapping[str, Callable[[object], RuleValue]] = {
    "quorum": Quorum.parse,
    "voting-seconds": lambda value: integer(
        value, "voting-seconds", low=MIN_VOTING_SECONDS, high=MAX_VOTING_SECONDS
    ),
    "open-proposals": lambda value: integer(
        value, "open-proposals", low=1, high=MAX_OPEN_PROPOSALS
    ),
    "disclosure-signers": lambda value: integer(
        value, "disclosure-signers", low=2, high=MAX_DISCLOSURE_SIGNERS
    ),
}


def read_rule(name: object, value: object) -> tuple[str, RuleValue]:
    """A rule's name and a value within its bounds.

    Raises:
        Malformed: no such rule, or a value that it may not have.
    """
    known = choice(name, "rule", tuple(RULES))
    return known, RULES[known](value)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRules:
    """The record of the rules in force."""

    quorum: Quorum
    voting_seconds: int  # from proposal to expiry
    open_proposals: int  # of one member at a time
    disclosure_signers: int  # distinct institutions behind each disclosure order
    height: int
    time: int

    def value(self, rule: str) -> RuleValue:
        """The value of a rule by its name."""
        found: RuleValue = getattr(self, rule.replace("-", "_"))
        return found

    def changed(self, rule: str, value: RuleValue, *, height: int, time: int) -> "NetworkRules":
        """The rules with one of them changed."""
        fields: dict[str, RuleValue] = {rule.replace("-", "_"): value}
        return replace(self, **fields, height=height, time=time)  # type: ignore[arg-type]

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "rules",
            quorum=self.quorum.to_object(),
            voting_seconds=self.voting_seconds,
            open_proposals=self.open_proposals,
            disclosure_signers=self.disclosure_signers,
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "NetworkRules":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a rule out of its bounds.
        """
        names = [rule.replace("-", "_") for rule in RULES]
        found = record_members("rules", value, names=(*names, "height", "time"))
        values = {
            name.replace("-", "_"): read(found[name.replace("-", "_")])
            for name, read in RULES.items()
        }
        return cls(
            **values,  # type: ignore[arg-type]
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )


def first_rules(*, height: int, time: int) -> NetworkRules:
    """The rules of every network at its genesis."""
    return NetworkRules(
        quorum=Quorum(numerator=2, denominator=3),
        voting_seconds=14 * 86_400,
        open_proposals=4,
        disclosure_signers=2,
        height=height,
        time=time,
    )
