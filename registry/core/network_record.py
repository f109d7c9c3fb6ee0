"""The record of the network itself: its name, its root members, and the genesis it began with."""

from dataclasses import dataclass

from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.fields import integer, items, members, octets, text
from registry.core.identifiers import read_did
from registry.core.network import parse_network_name
from registry.core.records import record_members, record_object

MAX_MEMBERS = 64
MAX_NAME_CHARS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """An institution of the genesis: its name, and the DID at which chains of grants begin."""

    name: str
    did: str

    def to_object(self) -> JsonObject:
        """The JSON form."""
        return {"name": self.name, "did": self.did}

    @classmethod
    def parse(cls, value: object) -> "Root":
        """Read the JSON form.

        Raises:
            Malformed: another shape.
        """
        found = members(value, "root", required=("name", "did"))
        return cls(
            name=text(found["name"], "name", high=MAX_NAME_CHARS),
            did=read_did(found["did"], "did"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRecord:
    """Which network this state belongs to. `genesis` is the SHA-256 of the genesis."""

    network: str
    members: tuple[Root, ...]
    genesis: bytes
    height: int
    time: int

    @property
    def roots(self) -> frozenset[str]:
        """The DIDs of the members."""
        return frozenset(member.did for member in self.members)

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(
            record_object(
                "network",
                network=self.network,
                members=[member.to_object() for member in self.members],
                genesis=base64url_encode(self.genesis),
                height=self.height,
                time=self.time,
            )
        )

    @classmethod
    def parse(cls, value: object) -> "NetworkRecord":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a member out of its bounds.
        """
        found = record_members(
            "network", value, names=("network", "members", "genesis", "height", "time")
        )
        return cls(
            network=parse_network_name(found["network"]),
            members=items(
                found["members"],
                "members",
                low=1,
                high=MAX_MEMBERS,
                read=Root.parse,
                unique=lambda member: member.did,
            ),
            genesis=octets(found["genesis"], "genesis", size=32),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )
