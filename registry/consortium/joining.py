"""Joining a network that runs: which header to trust when a node restores a snapshot.

The engine's state sync asks two nodes for headers and believes them from one that the operator
gives it. That one we do not take from a node: it is the newest header that our own light client
reaches from the anchor that this member pinned.
"""

import time

from registry.client.transport import HttpTransport
from registry.client.trust import HeadTrust
from registry.consortium.folder import MemberFolder
from registry.consortium.peer import Peer
from registry.core.any_trust_anchor import parse_trust_anchor
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.encoding import parse_json_object
from registry.core.refusals import Malformed, Refusal, Unavailable
from registry.ledger.comet.node_files import StateSync, read_node_id

RPC_PATH = "/registry/engine-rpc"  # where a member passes on what a light client asks its node
PEER_SECONDS = 5.0


class NobodyToJoin(Unavailable):
    """Fewer members than state sync needs answer with a head that can be verified."""


def snapshot_of_network(folder: MemberFolder) -> StateSync:
    """Where to restore from: members whose newest head verifies under the pinned anchor.

    Raises:
        NobodyToJoin: fewer than two such members answer.
        Malformed: the folder pins no consortium's anchor.
    """
    anchor = parse_trust_anchor(parse_json_object(folder.trust_anchor_file.read_bytes()))
    if not isinstance(anchor, ConsortiumAnchor):
        raise Malformed("trust-anchor.json is not that of a consortium")
    own = read_node_id(folder.node)
    trusted: tuple[int, str] | None = None
    servers = []
    for peer in folder.peers():
        if peer.node_id == own:
            continue
        try:
            height, digest = _verified_header(peer, anchor)
        except Refusal:
            continue
        servers.append(peer.api + RPC_PATH)
        if trusted is None or height > trusted[0]:
            trusted = (height, digest)
    if trusted is None or len(servers) < 2:
        raise NobodyToJoin("state sync needs two members that answer and can be believed")
    return StateSync(
        rpc_servers=tuple(servers),
        trust_height=trusted[0],
        trust_hash=trusted[1],
        trust_hours=anchor.rules.trusting_seconds // 3600,
    )


def _verified_header(peer: Peer, anchor: ConsortiumAnchor) -> tuple[int, str]:
    transport = HttpTransport(peer.api, timeout_seconds=PEER_SECONDS)

    def light_block(height: int | str) -> bytes:
        answer = transport.get(f"/registry/light-blocks/{height}")
        if answer.status != 200:
            raise Unavailable("the member does not give a light block")
        return answer.body

    try:
        # The validators may have changed since the anchor was pinned: this goes step by step.
        trust = HeadTrust(anchor, clock=time.time, fetch=light_block)
        trust.follow(light_block("latest"))
    finally:
        transport.close()
    followed = trust.anchor
    assert isinstance(followed, ConsortiumAnchor)
    return followed.newest.height, followed.newest.hash.hex().upper()
