"""What an institution brings to the founding of a network: its public keys, and where its node is.

Each makes its own keys and signs what it contributes with all of them, so nobody can bring a key
that he does not hold. Everybody assembles the same contributions into the same genesis by himself
and compares its digest with the others over another channel, before any node is started.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from registry.consortium.peer import Peer
from registry.core.encoding import (
    JsonObject,
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.fields import integer, items, members, text
from registry.core.genesis import Genesis, GenesisMember, genesis_member, parse_genesis
from registry.core.keys import PublicKey, SignatureNotValid, parse_multikey, verify_signature
from registry.core.membership import read_validator_key
from registry.core.network import parse_network_name
from registry.core.network_record import MAX_MEMBERS, MAX_NAME_CHARS
from registry.core.refusals import Conflict, Malformed, NotPermitted

TYPE = "cairn-contribution/1"
MAX_BYTES = 16 << 10
MAX_GOVERNANCE_KEYS = 8

Sign = Callable[[bytes], bytes]


class ContributionNotSigned(NotPermitted):
    """A contribution lacks the signature of one of its keys, or has a false one."""


class ContributionsDisagree(Conflict):
    """Contributions are for different networks, or two of them claim the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One institution's part."""

    network: str
    name: str
    governance_keys: tuple[PublicKey, ...]
    validator_key: PublicKey | None  # None: a member without a vote on blocks
    peer: Peer
    made: int  # Unix seconds
    signatures: Mapping[str, bytes] = field(default_factory=dict)  # by multikey

    def to_object(self) -> JsonObject:
        """What is signed, as a JSON object."""
        return {
            "type": TYPE,
            "network": self.network,
            "name": self.name,
            "governance_keys": [key.multikey for key in self.governance_keys],
            "validator_key": None if self.validator_key is None else self.validator_key.multikey,
            "peer": self.peer.to_object(),
            "made": self.made,
        }

    @property
    def message(self) -> bytes:
        """What each key signs; begins like nothing else that a key of ours signs."""
        return TYPE.encode("ascii") + b"\0" + canonical_json(self.to_object())

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """All keys that must have signed."""
        own = () if self.validator_key is None else (self.validator_key,)
        return (*self.governance_keys, *own)

    def encode(self) -> bytes:
        """The document to hand to the others."""
        signatures = {key: base64url_encode(value) for key, value in self.signatures.items()}
        return canonical_json({"contribution": self.to_object(), "signatures": signatures}) + b"\n"

    def member(self) -> GenesisMember:
        """The member that this makes in a genesis."""
        return genesis_member(
            network=self.network,
            name=self.name,
            keys=self.governance_keys,
            validator_key=self.validator_key,
        )


def sign_contribution(unsigned: Contribution, signers: Mapping[PublicKey, Sign]) -> Contribution:
    """The contribution with the signatures of all its keys.

    Raises:
        ContributionNotSigned: a signer is missing.
    """
    message = unsigned.message
    missing = set(unsigned.keys) - set(signers)
    if missing:
        raise ContributionNotSigned("a key of the contribution does not sign it")
    return Contribution(
        network=unsigned.network,
        name=unsigned.name,
        governance_keys=unsigned.governance_keys,
        validator_key=unsigned.validator_key,
        peer=unsigned.peer,
        made=unsigned.made,
        signatures={key.multikey: signers[key](message) for key in unsigned.keys},
    )


def parse_contribution(unverified: bytes) -> Contribution:
    """Read a contribution and check that each of its keys has signed it.

    Raises:
        Malformed: not of the form.
        ContributionNotSigned: a signature is missing or false.
    """
    outer = members(
        parse_json_object(unverified, max_bytes=MAX_BYTES),
        "document",
        required=("contribution", "signatures"),
    )
    found = members(
        outer["contribution"],
        "contribution",
        required=(
            "type",
            "network",
            "name",
            "governance_keys",
            "validator_key",
            "peer",
            "made",
        ),
    )
    if found["type"] != TYPE or not isinstance(outer["signatures"], dict):
        raise Malformed("the document is no contribution")
    contribution = Contribution(
        network=parse_network_name(found["network"]),
        name=text(found["name"], "name", high=MAX_NAME_CHARS),
        governance_keys=items(
            found["governance_keys"],
            "governance keys",
            low=1,
            high=MAX_GOVERNANCE_KEYS,
            read=parse_multikey,
            unique=lambda key: key,
        ),
        validator_key=read_validator_key(found["validator_key"]),
        peer=Peer.parse(found["peer"]),
        made=integer(found["made"], "made"),
        signatures={
            str(key): base64url_decode(value) for key, value in outer["signatures"].items()
        },
    )
    for key in contribution.keys:
        try:
            verify_signature(
                key,
                message=contribution.message,
                signature=contribution.signatures.get(key.multikey, b""),
            )
        except SignatureNotValid as error:
            raise ContributionNotSigned(
                f"the contribution of {contribution.name} is not signed by each of its keys"
            ) from error
    return contribution


def assemble(contributions: Sequence[Contribution]) -> tuple[Genesis, tuple[Peer, ...]]:
    """The genesis that these contributions make, whatever order they come in, and the peers.

    Raises:
        ContributionsDisagree: none, too many, of several networks, or two that claim one name, one
            key or one node.
    """
    if not 1 <= len(contributions) <= MAX_MEMBERS:
        raise ContributionsDisagree(f"a network begins with 1 to {MAX_MEMBERS} contributions")
    if len({item.network for item in contributions}) > 1:
        raise ContributionsDisagree("the contributions are for different networks")
    ordered = sorted(contributions, key=lambda item: item.name)
    if len({item.peer.node_id for item in ordered}) != len(ordered):
        raise ContributionsDisagree("two contributions have one node")
    genesis = Genesis(
        network=ordered[0].network,
        members=tuple(item.member() for item in ordered),
        created=max(item.made for item in ordered),
    )
    try:
        parse_genesis(genesis.to_object())
    except Malformed as error:
        raise ContributionsDisagree(error.detail) from error
    if all(member.validator_key is None for member in genesis.members):
        raise ContributionsDisagree("nobody contributes a validator key")
    return genesis, tuple(item.peer for item in ordered)
