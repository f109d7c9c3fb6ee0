"""What somebody needs to join a network, in one public file: genesis, peers, and what to trust.

The genesis is compared by its digest and the anchor decides what is believed, so whoever joins gets
both digest and anchor over a channel that he trusts. The peers only say where to ask.
"""

from dataclasses import dataclass

from registry.consortium.peer import Peer, parse_peers, peers_json
from registry.core.consortium_anchor import (
    ConsortiumAnchor,
    consortium_anchor_json,
    parse_consortium_anchor,
)
from registry.core.encoding import JsonObject, parse_json_object
from registry.core.fields import members
from registry.core.genesis import Genesis, parse_genesis
from registry.core.refusals import Conflict, Malformed

TYPE = "cairn-network/1"
MAX_BYTES = 512 << 10


class BundleDisagrees(Conflict):
    """Genesis and anchor of the bundle belong to different networks."""


@dataclass(frozen=True, slots=True)
class NetworkBundle:
    """A network as its members know it."""

    genesis: Genesis
    peers: tuple[Peer, ...]
    anchor: ConsortiumAnchor

    def to_object(self) -> JsonObject:
        """The JSON form."""
        return {
            "type": TYPE,
            "genesis": self.genesis.to_object(),
            "peers": peers_json(self.peers),
            "trust_anchor": consortium_anchor_json(self.anchor),
        }


def parse_bundle(unverified: bytes) -> NetworkBundle:
    """Read a bundle.

    Raises:
        Malformed: not of the form.
        BundleDisagrees: its parts are of different networks.
    """
    found = members(
        parse_json_object(unverified, max_bytes=MAX_BYTES),
        "bundle",
        required=("type", "genesis", "peers", "trust_anchor"),
    )
    if found["type"] != TYPE:
        raise Malformed("the file is no bundle of a network")
    genesis = parse_genesis(found["genesis"])
    anchor = parse_consortium_anchor(found["trust_anchor"])
    if anchor.network != genesis.network or set(anchor.roots) != {
        member.did for member in genesis.members
    }:
        raise BundleDisagrees("genesis and trust anchor are of different networks")
    return NetworkBundle(genesis, parse_peers(found["peers"]), anchor)
