"""The keys of a member's node, made once in its folder."""

import base64
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.consortium.folder import MemberFolder
from registry.core.encoding import parse_json_object
from registry.core.keys import PublicKey
from registry.ledger.comet.node_files import (
    make_key,
    make_node_key,
    read_node_id,
    read_validator_key,
)


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """What others know a node by, and its signature under the contribution."""

    key: PublicKey
    node_id: str
    sign: Callable[[bytes], bytes]


def node_keys(folder: MemberFolder, random: Callable[[int], bytes]) -> NodeKeys:
    """The keys of the node in this folder; made when they are not there yet.

    Raises:
        NodeFilesBroken: a key file is damaged, or can be read by others.
    """
    node = folder.node
    path = node / "config" / "priv_validator_key.json"
    if not path.exists():
        make_key(node, random(32))
    if not (node / "config" / "node_key.json").exists():
        make_node_key(node, random(32))
    key = read_validator_key(node)
    document = parse_json_object(path.read_bytes())
    private = base64.b64decode(document["priv_key"]["value"])[:32]
    signer = Ed25519PrivateKey.from_private_bytes(private)
    return NodeKeys(key, read_node_id(node), signer.sign)
