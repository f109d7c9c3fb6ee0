"""The state map: an authenticated map that proves what it holds and what it does not hold.

A compact sparse Merkle tree over the 256 bits of a key hash, first bit first. A subtree without a
leaf is `EMPTY`, a subtree with one leaf is that leaf, any other is a node over its two halves. So
the same contents give the same root in whatever order they came, and a path is about log2(n) long.
Keys are hashed first: nobody chooses where his key lands. Nodes are never changed, they are stored
under their hash, and each version of the map is one root. Puts only: the ledger forgets nothing.

`docs/proofs.md` specifies the bytes. Leaf and node have labels of their own, so neither passes for
the other, and neither can hash to `EMPTY`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from registry.core.encoding import JsonObject, base64url_encode
from registry.core.fields import integer, members, octets
from registry.core.hashing import labelled_hash, sha256
from registry.core.proofs import HASH_BYTES, NotProven, are_hashes, parse_path, path_json
from registry.core.refusals import Malformed, Unavailable

EMPTY = bytes(HASH_BYTES)

MAX_KEY_BYTES = 512  # UTF-8; the longest key we write is a status group of a DID, below 200
MAX_DEPTH = 8 * HASH_BYTES  # bits of a key hash; an honest path is about log2 of the map's size

# A stored node is one tag byte and two hashes: key and value of a leaf, or left and right.
_LEAF_TAG = b"\x00"
_NODE_TAG = b"\x01"


class MapNotProven(NotProven):
    """The proof does not show this key with this value, or without one, under this root."""


class MapStoreDamaged(Unavailable):
    """A stored node is missing or is not what its hash says; nothing can be proved from it."""


class NodeStore(Protocol):
    """Where stored nodes come from; a `dict` is one, an engine reads its table."""

    def get(self, node: bytes, /) -> bytes | None:
        """The encoded node whose hash is `node`, as `update` gave it out; None when unknown."""
        ...


@dataclass(frozen=True, slots=True)
class MapLeaf:
    """One entry of the map, by the hashes of its key and its value, 32 bytes each."""

    key_hash: bytes
    value_hash: bytes

    @property
    def hash(self) -> bytes:
        """Hash of the leaf, 32 bytes."""
        return labelled_hash("cairn/map-leaf/v1", self.key_hash, self.value_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapProof:
    """Unverified: what stands at the place of `key` in a map, and the siblings on the way up."""

    key: str
    path: tuple[bytes, ...]  # sibling hashes, from the leaf's level up to the root's children
    other: MapLeaf | None = None  # for absence: the leaf that stands where the key would


def map_key_hash(key: str) -> bytes:
    """Hash that places `key` in the map, 32 bytes.

    Raises:
        Malformed: empty, longer than `MAX_KEY_BYTES`, or no Unicode text.
    """
    try:
        data = key.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("map key has a lone surrogate") from error
    if not 0 < len(data) <= MAX_KEY_BYTES:
        raise Malformed(f"map key is empty or longer than {MAX_KEY_BYTES} bytes")
    return labelled_hash("cairn/map-key/v1", data)


def map_changes(records: Mapping[str, bytes]) -> dict[bytes, bytes]:
    """Records by key, in the form `update` takes: value hash by key hash."""
    return {map_key_hash(key): sha256(value) for key, value in records.items()}


def map_root(contents: Mapping[bytes, bytes]) -> bytes:
    """Root of a map that holds exactly `contents`, value hash by key hash; for audits."""
    return update(EMPTY, contents, {})[0]


def update(
    root: bytes, changes: Mapping[bytes, bytes], nodes: NodeStore
) -> tuple[bytes, dict[bytes, bytes]]:
    """Put `changes` into the map under `root`.

    Args:
        root: root of the map as it is, `EMPTY` for a new one.
        changes: value hash by key hash, 32 bytes each; see `map_changes`.
        nodes: the nodes of the map under `root`.

    Returns:
        The new root, and the encoded nodes to store, by hash. Nodes of older versions stay valid.

    Raises:
        MapStoreDamaged: a node on the way is missing or damaged.
    """
    leaves = [MapLeaf(key, value) for key, value in sorted(changes.items())]
    if not are_hashes(root, *changes.keys(), *changes.values()):
        raise ValueError("root, key hashes and value hashes have 32 bytes")
    writer = _Writer(nodes)
    return writer.put(root, 0, leaves), writer.fresh


def prove(root: bytes, key: str, nodes: NodeStore) -> MapProof:
    """Proof for `verify_map_proof` that the map under `root` holds `key`, or does not.

    Raises:
        Malformed: the key is empty or too long.
        MapStoreDamaged: a node on the way is missing or damaged.
    """
    key_hash = map_key_hash(key)
    path: list[bytes] = []
    other: MapLeaf | None = None
    here = root
    while here != EMPTY:
        node = _load(nodes, here)
        if isinstance(node, MapLeaf):
            other = None if node.key_hash == key_hash else node
            break
        left, right = node
        here, sibling = (right, left) if _bit(key_hash, len(path)) else (left, right)
        path.append(sibling)
    path.reverse()
    return MapProof(key=key, path=tuple(path), other=other)


def find(root: bytes, key: str, nodes: NodeStore) -> bytes | None:
    """Value hash that the map under `root` holds for `key`, or None.

    Raises:
        Malformed: the key is empty or too long.
        MapStoreDamaged: a node on the way is missing or damaged.
    """
    key_hash = map_key_hash(key)
    here, depth = root, 0
    while here != EMPTY:
        node = _load(nodes, here)
        if isinstance(node, MapLeaf):
            return node.value_hash if node.key_hash == key_hash else None
        here, depth = node[_bit(key_hash, depth)], depth + 1
    return None


def verify_map_proof(proof: MapProof, *, key: str, value: bytes | None, root: bytes) -> None:
    """Check that the map under `root` holds `value` for `key`, or, with None, holds nothing for it.

    Returns nothing on success. Steps:

    1. The proof is about this key; its hashes have 32 bytes; it is no deeper than a key has bits.
    2. What stands at the key's place: for presence the leaf of key and value; for absence either
       nothing, or another leaf, which is no leaf of this key and shares the way down to its place.
    3. The lowest sibling is not empty. Otherwise the pair would have been one leaf, higher up.
    4. Joined with its siblings, left or right by the bits of the key's hash, it gives the root.

    Args:
        proof: the proof, as `parse_map_proof` or `prove` made it.
        key: the key the caller asks about.
        value: the bytes under the key, or None to check that there are none.
        root: the root hash the caller already trusts, 32 bytes.

    Raises:
        MapNotProven: any step fails.
    """
    # 1
    if proof.key != key:
        raise MapNotProven("proof is about another key")
    if len(proof.path) > MAX_DEPTH or not are_hashes(root, *proof.path):
        raise MapNotProven("proof has a hash of the wrong length, or too many")
    key_hash = map_key_hash(key)
    # 2
    here = _at_the_place_of(key_hash, proof, value)
    # 3
    if proof.path and proof.path[0] == EMPTY:
        raise MapNotProven("proof goes deeper than the map does")
    # 4
    for depth, sibling in zip(range(len(proof.path) - 1, -1, -1), proof.path, strict=True):
        here = _node_hash(sibling, here) if _bit(key_hash, depth) else _node_hash(here, sibling)
    if here != root:
        raise MapNotProven("proof leads to another root")


def parse_map_proof(value: object) -> MapProof:
    """Read a proof from its JSON form.

    Raises:
        Malformed: a member is missing, unknown, or not of its form.
    """
    found = members(value, "map proof", required=("key", "bits", "path"), optional=("other",))
    key = found["key"]
    if not isinstance(key, str):
        raise Malformed("map key is not a string")
    map_key_hash(key)
    path = parse_path(found["path"], most=MAX_DEPTH)
    if integer(found["bits"], "bits", high=MAX_DEPTH) != len(path):
        raise Malformed("map proof has another number of hashes than of bits")
    other = _parse_leaf(found["other"]) if "other" in found else None
    return MapProof(key=key, path=path, other=other)


def map_proof_json(proof: MapProof) -> JsonObject:
    """The JSON form of a proof; `parse_map_proof` reads it."""
    result: JsonObject = {
        "key": proof.key,
        "bits": len(proof.path),
        "path": path_json(proof.path),
    }
    if proof.other is not None:
        result["other"] = {
            "keyhash": base64url_encode(proof.other.key_hash),
            "valuehash": base64url_encode(proof.other.value_hash),
        }
    return result


def _at_the_place_of(key_hash: bytes, proof: MapProof, value: bytes | None) -> bytes:
    """Step 2 of `verify_map_proof`: the hash at the end of the way down."""
    other = proof.other
    if value is not None:
        if other is not None:
            raise MapNotProven("proof of absence does not prove presence")
        return MapLeaf(key_hash, sha256(value)).hash
    if other is None:
        return EMPTY
    if not are_hashes(other.key_hash, other.value_hash):
        raise MapNotProven("the other leaf has a hash of the wrong length")
    if other.key_hash == key_hash:
        raise MapNotProven("proof of presence does not prove absence")
    if any(_bit(other.key_hash, d) != _bit(key_hash, d) for d in range(len(proof.path))):
        raise MapNotProven("the other leaf does not stand where the key would")
    return other.hash


def _parse_leaf(value: object) -> MapLeaf:
    found = members(value, "other leaf", required=("keyhash", "valuehash"))
    return MapLeaf(
        octets(found["keyhash"], "keyhash", size=HASH_BYTES),
        octets(found["valuehash"], "valuehash", size=HASH_BYTES),
    )


def _node_hash(left: bytes, right: bytes) -> bytes:
    return labelled_hash("cairn/map-node/v1", left, right)


def _bit(key_hash: bytes, depth: int) -> int:
    """Bit number `depth` of a key hash, the most significant bit of the first byte being 0."""
    return key_hash[depth >> 3] >> (7 - (depth & 7)) & 1


def _load(nodes: NodeStore, node: bytes) -> MapLeaf | tuple[bytes, bytes]:
    """Read a stored node and check that it is the one its hash names."""
    data = nodes.get(node)
    if data is not None and len(data) == 1 + 2 * HASH_BYTES:
        first, second = data[1 : 1 + HASH_BYTES], data[1 + HASH_BYTES :]
        if data[:1] == _LEAF_TAG and (leaf := MapLeaf(first, second)).hash == node:
            return leaf
        if data[:1] == _NODE_TAG and _node_hash(first, second) == node:
            return first, second
    raise MapStoreDamaged("a node of the state map is missing or damaged")


@dataclass(slots=True)
class _Writer:
    """One run of `update`: reads old nodes, collects fresh ones."""

    nodes: NodeStore
    fresh: dict[bytes, bytes] = field(default_factory=dict)

    def put(self, here: bytes, depth: int, leaves: Sequence[MapLeaf]) -> bytes:
        """Put `leaves` (sorted, distinct, all of this subtree) under `here`; the new hash."""
        if not leaves:
            return here
        if here == EMPTY:
            return self._build(depth, leaves)
        node = _load(self.nodes, here)
        if isinstance(node, MapLeaf):
            if all(leaf.key_hash != node.key_hash for leaf in leaves):
                leaves = sorted([node, *leaves], key=lambda leaf: leaf.key_hash)
            return self._build(depth, leaves)
        cut = _first_of_right(leaves, depth)
        left = self.put(node[0], depth + 1, leaves[:cut])
        right = self.put(node[1], depth + 1, leaves[cut:])
        return here if (left, right) == node else self._write_node(left, right)

    def _build(self, depth: int, leaves: Sequence[MapLeaf]) -> bytes:
        """Make the subtree that holds exactly `leaves`."""
        if not leaves:
            return EMPTY
        if len(leaves) == 1:
            (leaf,) = leaves
            self.fresh[leaf.hash] = _LEAF_TAG + leaf.key_hash + leaf.value_hash
            return leaf.hash
        cut = _first_of_right(leaves, depth)
        left = self._build(depth + 1, leaves[:cut])
        right = self._build(depth + 1, leaves[cut:])
        return self._write_node(left, right)

    def _write_node(self, left: bytes, right: bytes) -> bytes:
        result = _node_hash(left, right)
        self.fresh[result] = _NODE_TAG + left + right
        return result


def _first_of_right(leaves: Sequence[MapLeaf], depth: int) -> int:
    """How many of the sorted leaves have bit `depth` clear."""
    low, high = 0, len(leaves)
    while low < high:
        middle = (low + high) // 2
        if _bit(leaves[middle].key_hash, depth):
            high = middle
        else:
            low = middle + 1
    return low
