"""Who votes on blocks follows from the members, and every node tells the engine the same."""

import pytest

from registry.core.genesis import Genesis, genesis_changes, genesis_member
from registry.core.governance_changes import AdmitMember, RemoveMember, SetValidatorKey
from registry.core.governance_effects import LastValidator
from registry.core.proposals import ACCEPTED
from registry.core.records import MEMBERS_KEY, member_key
from registry.core.validators import (
    POWER,
    ValidatorUpdate,
    concern_validators,
    validator_keys,
    validator_updates,
)
from tests.registry.core.actors import NETWORK, pair
from tests.registry.core.council import CREATED, Council


def council_of(*validators: str) -> Council:
    """Three founders, of whom some have validator keys."""
    council = Council()
    founders = tuple(
        genesis_member(
            network=NETWORK,
            name=name,
            keys=[pair(name).key],
            validator_key=pair(f"validator {name}").key if name in validators else None,
        )
        for name in council.founders
    )
    genesis = Genesis(network=NETWORK, members=founders, created=CREATED)
    council.state = dict(genesis_changes(genesis))
    return council


def test_members_with_a_key_vote_and_others_do_not() -> None:
    council = council_of("ann", "cat")

    assert validator_keys(council) == {pair("validator ann").key, pair("validator cat").key}


def test_a_member_admitted_with_a_key_votes_from_then_on() -> None:
    council = council_of("ann", "bob", "cat")
    before = validator_keys(council)
    admitted = AdmitMember(
        member=council.join("dan"), name="dan", validator_key=pair("validator dan").key
    )
    council.decide(admitted, "ann", "bob", "cat")

    updates = validator_updates(before, validator_keys(council))

    assert updates == (ValidatorUpdate(pair("validator dan").key, POWER),)


def test_a_removed_member_and_a_replaced_key_vote_no_longer() -> None:
    council = council_of("ann", "bob", "cat")
    before = validator_keys(council)
    rotated = SetValidatorKey(member=council.did["ann"], validator_key=pair("new").key)
    council.decide(rotated, "ann", "bob", "cat")
    council.decide(RemoveMember(member=council.did["bob"]), "ann", "bob", "cat")

    updates = validator_updates(before, validator_keys(council))

    assert {(item.key, item.power) for item in updates} == {
        (pair("validator ann").key, 0),
        (pair("validator bob").key, 0),
        (pair("new").key, POWER),
    }
    assert [item.key.data for item in updates] == sorted(item.key.data for item in updates)


def test_no_change_is_told_when_nothing_changed() -> None:
    keys = validator_keys(council_of("ann"))

    assert validator_updates(keys, keys) == ()
    assert not concern_validators(["tx/1", "did/x", "memberships"])
    assert concern_validators([MEMBERS_KEY])
    assert concern_validators([member_key("did:cairn:x:1")])


def test_the_last_validator_stays() -> None:
    council = council_of("ann")

    with pytest.raises(LastValidator):
        council.propose("bob", RemoveMember(member=council.did["ann"]))
    with pytest.raises(LastValidator):
        council.propose("bob", SetValidatorKey(member=council.did["ann"], validator_key=None))
    other = SetValidatorKey(member=council.did["ann"], validator_key=pair("new").key)
    assert council.decide(other, "ann", "bob", "cat").state == ACCEPTED


def test_a_network_without_validators_needs_none() -> None:
    council = council_of()

    decided = council.decide(RemoveMember(member=council.did["cat"]), "ann", "bob", "cat")

    assert decided.state == ACCEPTED
