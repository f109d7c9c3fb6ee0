"""Where another member's node is, and where its registry answers. Public, and proves nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from registry.core.encoding import JsonObject
from registry.core.fields import items, members, text
from registry.core.network_record import MAX_MEMBERS, MAX_NAME_CHARS
from registry.core.refusals import Malformed

MAX_URL_CHARS = 300

_NODE_ID = re.compile(r"[0-9a-f]{40}")
_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A node of the network."""

    name: str
    node_id: str  # 40 hexadecimal digits, by which nodes know each other
    address: str  # host:port of its peer-to-peer side
    api: str  # base URL of its registry

    @property
    def persistent(self) -> str:
        """As CometBFT's configuration names it."""
        return f"{self.node_id}@{self.address}"

    def to_object(self) -> JsonObject:
        """The JSON form."""
        return {
            "name": self.name,
            "node_id": self.node_id,
            "address": self.address,
            "api": self.api,
        }

    @classmethod
    def parse(cls, value: object) -> "Peer":
        """Read the JSON form.

        Raises:
            Malformed: a member is missing or not of its form.
        """
        found = members(value, "peer", required=("name", "node_id", "address", "api"))
        return cls(
            name=text(found["name"], "name", high=MAX_NAME_CHARS),
            node_id=_matching(found["node_id"], _NODE_ID, "node_id"),
            address=_matching(found["address"], _ADDRESS, "address"),
            api=read_api(found["api"]),
        )


def parse_peers(value: object) -> tuple[Peer, ...]:
    """Read the peers of a network.

    Raises:
        Malformed: one is not of its form, or a node stands there twice.
    """
    return items(
        value,
        "peers",
        low=0,
        high=MAX_MEMBERS,
        read=Peer.parse,
        unique=lambda peer: peer.node_id,
    )


def peers_json(peers: Sequence[Peer]) -> list[JsonObject]:
    """The JSON form of several peers."""
    return [peer.to_object() for peer in peers]


def read_api(value: object) -> str:
    """The base URL of a registry, without a slash at its end.

    Raises:
        Malformed: no plain http or https URL.
    """
    url = text(value, "api", high=MAX_URL_CHARS)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise Malformed("api is no http or https URL")
    return url.rstrip("/")


def _matching(value: object, pattern: re.Pattern[str], where: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Malformed(f"{where} of a peer is not of its form")
    return value
