"""The genesis: entry 0 of the log, which names the network and its root members.

A root member's DID is derived like every other, from the `create-did` payload that its governance
keys would have signed, with a nonce of zeros. Nobody signs the genesis; each member compares its
hash before it starts a node.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from registry.core.did import INVOCATION, MAX_METHODS, DidDetails, VerificationMethod, read_key
from registry.core.did_actions import CreateDid
from registry.core.did_rules import first_version
from registry.core.encoding import JsonObject, canonical_json
from registry.core.fields import integer, items, members, text
from registry.core.hashing import labelled_hash
from registry.core.identifiers import ID_BYTES, read_did
from registry.core.keys import PublicKey
from registry.core.membership import Member, MemberList, read_validator_key
from registry.core.network import parse_network_name
from registry.core.network_record import MAX_MEMBERS, MAX_NAME_CHARS, NetworkRecord, Root
from registry.core.network_rules import first_rules
from registry.core.records import (
    MEMBERS_KEY,
    NETWORK_KEY,
    RULES_KEY,
    Block,
    Changes,
    member_key,
)
from registry.core.refusals import Malformed
from registry.core.transactions import Payload, derive_did


@dataclass(frozen=True, slots=True, kw_only=True)
class GenesisMember:
    """A root member: its governance keys become `#governance-1`, `#governance-2` … of its DID."""

    name: str
    did: str
    keys: tuple[PublicKey, ...]
    validator_key: PublicKey | None = None  # Ed25519; needed where a consensus engine runs

    def to_object(self) -> JsonObject:
        """The JSON form."""
        key = self.validator_key
        return {
            "name": self.name,
            "did": self.did,
            "keys": [key.multikey for key in self.keys],
            **({} if key is None else {"validator_key": key.multikey}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Genesis:
    """How a network begins. `created` is in Unix seconds."""

    network: str
    members: tuple[GenesisMember, ...]
    created: int

    def to_object(self) -> JsonObject:
        """The JSON form; `parse_genesis` reads it."""
        return {
            "network": self.network,
            "members": [member.to_object() for member in self.members],
            "created": self.created,
        }

    @property
    def digest(self) -> bytes:
        """The hash that members compare, 32 bytes."""
        return labelled_hash("cairn/genesis/v1", canonical_json(self.to_object()))


def genesis_member(
    *, network: str, name: str, keys: Sequence[PublicKey], validator_key: PublicKey | None = None
) -> GenesisMember:
    """A member with the DID that its keys give it.

    Raises:
        Malformed: no keys, too many, one twice, or a name or network of the wrong form.
    """
    parse_network_name(network)
    if not 1 <= len(keys) <= MAX_METHODS or len(set(keys)) != len(keys):
        raise Malformed(f"a member has 1 to {MAX_METHODS} different keys")
    payload = Payload(
        network=network, author="", nonce=bytes(ID_BYTES), action=CreateDid(details=_details(keys))
    )
    return GenesisMember(
        name=text(name, "name", high=MAX_NAME_CHARS),
        did=derive_did(payload),
        keys=tuple(keys),
        validator_key=validator_key,
    )


def parse_genesis(value: object) -> Genesis:
    """Read a genesis from its JSON object.

    Raises:
        Malformed: a member is missing, unknown or out of its bounds, a DID that its keys do not
            give, or one key in two places.
    """
    found = members(value, "genesis", required=("network", "members", "created"))
    network = parse_network_name(found["network"])
    parsed = items(
        found["members"],
        "members",
        low=1,
        high=MAX_MEMBERS,
        read=lambda item: _parse_member(item, network),
        unique=lambda member: member.name,
    )
    keys = [key for member in parsed for key in member.keys]
    keys += [member.validator_key for member in parsed if member.validator_key is not None]
    if len(set(keys)) != len(keys):
        raise Malformed("one key stands in two places of the genesis")
    return Genesis(network=network, members=parsed, created=integer(found["created"], "created"))


def genesis_changes(genesis: Genesis) -> Changes:
    """The state that the genesis makes out of nothing, at height 0.

    Raises:
        Malformed: `parse_genesis` would refuse it.
    """
    genesis = parse_genesis(genesis.to_object())
    block = Block(height=0, time=genesis.created, index=0)
    changes = {
        NETWORK_KEY: NetworkRecord(
            network=genesis.network,
            members=tuple(Root(name=member.name, did=member.did) for member in genesis.members),
            genesis=genesis.digest,
            height=block.height,
            time=block.time,
        ).encode()
    }
    for member in genesis.members:
        changes |= first_version(member.did, _details(member.keys), block=block)
        changes[member_key(member.did)] = Member(
            did=member.did,
            name=member.name,
            validator_key=member.validator_key,
            active=True,
            since_height=block.height,
            until_height=None,
            proposal=None,
            height=block.height,
            time=block.time,
        ).encode()
    changes[MEMBERS_KEY] = MemberList(
        active=tuple(member.did for member in genesis.members),
        former=(),
        height=block.height,
        time=block.time,
    ).encode()
    changes[RULES_KEY] = first_rules(height=block.height, time=block.time).encode()
    return changes


def _details(keys: Sequence[PublicKey]) -> DidDetails:
    return DidDetails(
        verification_methods=tuple(
            VerificationMethod(fragment=f"governance-{number}", key=key, purpose=INVOCATION)
            for number, key in enumerate(keys, start=1)
        )
    )


def _parse_member(value: object, network: str) -> GenesisMember:
    found = members(value, "member", required=("name", "did", "keys"), optional=("validator_key",))
    keys = items(
        found["keys"],
        "keys of a member",
        low=1,
        high=MAX_METHODS,
        read=read_key,
        unique=lambda key: key,
    )
    validator_key = None
    if "validator_key" in found:
        validator_key = read_validator_key(found["validator_key"])
        if validator_key is None:
            raise Malformed("a member without a validator key has no such member")
    member = genesis_member(
        network=network, name=found["name"], keys=keys, validator_key=validator_key
    )
    if read_did(found["did"], "did") != member.did:
        raise Malformed("a member's DID is not the one that its keys give it")
    return member
