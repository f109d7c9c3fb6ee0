"""What members may decide together: each kind of change, as it stands in a proposal."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from registry.core.accreditation_actions import (
    Accredit,
    EndAccreditation,
    ReinstateAccreditation,
    SuspendAccreditation,
)
from registry.core.compromise import DeclareCompromise
from registry.core.encoding import JsonObject
from registry.core.fields import choice, integer, members, text, token
from registry.core.identifiers import read_did
from registry.core.keys import PublicKey
from registry.core.membership import read_validator_key
from registry.core.network_record import MAX_NAME_CHARS
from registry.core.network_rules import Quorum, RuleValue, read_rule

SOFTWARE_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitMember:
    """A DID that exists becomes a member, under this name."""

    NAME: ClassVar[str] = "admit-member"

    member: str
    name: str
    validator_key: PublicKey | None

    def to_body(self) -> JsonObject:
        """The details in the proposal."""
        key = None if self.validator_key is None else self.validator_key.multikey
        return {"member": self.member, "name": self.name, "validator_key": key}

    @classmethod
    def parse(cls, body: object) -> "AdmitMember":
        """Read the details.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(
            body, "details of admit-member", required=("member", "name", "validator_key")
        )
        return cls(
            member=read_did(found["member"], "member"),
            name=text(found["name"], "name", high=MAX_NAME_CHARS),
            validator_key=read_validator_key(found["validator_key"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMember:
    """A member is one no longer. What it granted and published stays."""

    NAME: ClassVar[str] = "remove-member"

    member: str

    def to_body(self) -> JsonObject:
        """The details in the proposal."""
        return {"member": self.member}

    @classmethod
    def parse(cls, body: object) -> "RemoveMember":
        """Read the details.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(body, "details of remove-member", required=("member",))
        return cls(member=read_did(found["member"], "member"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetValidatorKey:
    """A member's validator key is another from now on, or none."""

    NAME: ClassVar[str] = "set-validator-key"

    member: str
    validator_key: PublicKey | None

    def to_body(self) -> JsonObject:
        """The details in the proposal."""
        key = None if self.validator_key is None else self.validator_key.multikey
        return {"member": self.member, "validator_key": key}

    @classmethod
    def parse(cls, body: object) -> "SetValidatorKey":
        """Read the details.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(body, "details of set-validator-key", required=("member", "validator_key"))
        return cls(
            member=read_did(found["member"], "member"),
            validator_key=read_validator_key(found["validator_key"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRule:
    """One of the rules in `network_rules` gets another value."""

    NAME: ClassVar[str] = "change-rule"

    rule: str
    value: RuleValue

    def to_body(self) -> JsonObject:
        """The details in the proposal."""
        value = self.value.to_object() if isinstance(self.value, Quorum) else self.value
        return {"rule": self.rule, "value": value}

    @classmethod
    def parse(cls, body: object) -> "ChangeRule":
        """Read the details.

        Raises:
            Malformed: no such rule, or a value out of its bounds.
        """
        found = members(body, "details of change-rule", required=("rule", "value"))
        rule, value = read_rule(found["rule"], found["value"])
        return cls(rule=rule, value=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleUpgrade:
    """From this height on, nodes run this version of the software. A later one replaces it."""

    NAME: ClassVar[str] = "schedule-upgrade"

    at_height: int
    version: str

    def to_body(self) -> JsonObject:
        """The details in the proposal."""
        return {"at_height": self.at_height, "version": self.version}

    @classmethod
    def parse(cls, body: object) -> "ScheduleUpgrade":
        """Read the details.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(body, "details of schedule-upgrade", required=("at_height", "version"))
        return cls(
            at_height=integer(found["at_height"], "at_height", low=1),
            version=token(found["version"], "version", SOFTWARE_VERSION),
        )


Change = (
    AdmitMember
    | RemoveMember
    | SetValidatorKey
    | ChangeRule
    | ScheduleUpgrade
    | Accredit
    | SuspendAccreditation
    | ReinstateAccreditation
    | EndAccreditation
    | DeclareCompromise
)

CHANGES: Mapping[str, type[Change]] = {
    change.NAME: change
    for change in (
        AdmitMember,
        RemoveMember,
        SetValidatorKey,
        ChangeRule,
        ScheduleUpgrade,
        Accredit,
        SuspendAccreditation,
        ReinstateAccreditation,
        EndAccreditation,
        DeclareCompromise,
    )
}


def read_change(name: object, details: object) -> Change:
    """A change from its kind and its details.

    Raises:
        Malformed: no such kind, or details of another form.
    """
    return CHANGES[choice(name, "change", tuple(CHANGES))].parse(details)
