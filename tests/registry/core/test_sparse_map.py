"""The state map against a plain dict, and every way to spoil a proof."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.encoding import canonical_json, parse_json
from registry.core.hashing import labelled_hash, sha256
from registry.core.refusals import Malformed, Refusal
from registry.core.sparse_map import (
    EMPTY,
    MAX_KEY_BYTES,
    MapLeaf,
    MapNotProven,
    MapProof,
    MapStoreDamaged,
    find,
    map_changes,
    map_key_hash,
    map_proof_json,
    map_root,
    parse_map_proof,
    prove,
    update,
    verify_map_proof,
)

KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
CONTENTS = st.dictionaries(KEYS, st.binary(max_size=8), max_size=40)


def map_of(contents: dict[str, bytes]) -> tuple[bytes, dict[bytes, bytes]]:
    return update(EMPTY, map_changes(contents), {})


RECORDS = {f"record/{number}": b"value %d" % number for number in range(60)}
ROOT, NODES = map_of(RECORDS)


def absent_keys(root: bytes, nodes: dict[bytes, bytes], *, empty: bool) -> list[str]:
    """Keys that the map lacks, whose place is empty, or taken by another leaf."""
    keys = [f"absent/{number}" for number in range(200)]
    return [key for key in keys if (prove(root, key, nodes).other is None) == empty]


def refused(proof: MapProof, **asked: Any) -> None:
    with pytest.raises(MapNotProven):
        verify_map_proof(proof, **asked)


@given(CONTENTS, KEYS)
def test_the_map_proves_what_a_dict_holds_and_nothing_else(contents: dict[str, bytes], other: str):
    root, nodes = map_of(contents)

    for key in {*contents, other}:
        value = contents.get(key)
        proof = prove(root, key, nodes)
        verify_map_proof(proof, key=key, value=value, root=root)
        assert find(root, key, nodes) == (None if value is None else sha256(value))
        assert parse_map_proof(map_proof_json(proof)) == proof
        wrong = None if value is not None else b""
        refused(proof, key=key, value=wrong, root=root)
        refused(proof, key=key, value=b"never put", root=root)


@given(CONTENTS, st.randoms(use_true_random=False), st.integers(1, 7))
def test_the_root_tells_nothing_of_the_order(contents: dict[str, bytes], random: Any, step: int):
    changes = list(map_changes(contents).items())
    random.shuffle(changes)
    root, nodes = EMPTY, {}
    for start in range(0, len(changes), step):
        batch = dict(changes[start : start + step])
        # Put wrong values first: what was there before leaves no trace either.
        root, fresh = update(root, {key: sha256(b"old") for key in batch}, nodes)
        nodes |= fresh
        root, fresh = update(root, batch, nodes)
        nodes |= fresh

    assert root == map_root(dict(changes)) == map_of(contents)[0]


@given(CONTENTS, CONTENTS)
def test_older_versions_stay_provable(before: dict[str, bytes], changes: dict[str, bytes]):
    older, nodes = map_of(before)
    newer, fresh = update(older, map_changes(changes), nodes)
    nodes |= fresh

    for key in {*before, *changes}:
        verify_map_proof(prove(older, key, nodes), key=key, value=before.get(key), root=older)
        now = (before | changes).get(key)
        verify_map_proof(prove(newer, key, nodes), key=key, value=now, root=newer)


def test_putting_what_is_there_changes_nothing():
    root, fresh = update(ROOT, map_changes({"record/3": b"value 3"}), NODES)

    assert root == ROOT
    assert fresh.keys() <= NODES.keys()
    assert update(ROOT, {}, NODES) == (ROOT, {})


def test_the_empty_map_proves_absence():
    proof = prove(EMPTY, "anything", {})

    assert proof == MapProof(key="anything", path=())
    verify_map_proof(proof, key="anything", value=None, root=EMPTY)
    refused(proof, key="anything", value=b"", root=EMPTY)


def test_one_record_is_the_root_itself():
    root, nodes = map_of({"only": b"one"})

    assert root == MapLeaf(map_key_hash("only"), sha256(b"one")).hash
    assert prove(root, "only", nodes).path == ()
    assert prove(root, "else", nodes).other == MapLeaf(map_key_hash("only"), sha256(b"one"))
    verify_map_proof(prove(root, "else", nodes), key="else", value=None, root=root)


def test_long_common_prefixes_make_long_paths_with_empty_siblings():
    hashes = [bytes(31) + b"\x01", bytes(32)]  # differ in the very last bit
    root, nodes = update(EMPTY, dict.fromkeys(hashes, sha256(b"")), {})

    assert len(nodes) == 2 + 256
    again = EMPTY
    kept: dict[bytes, bytes] = {}
    for key_hash in hashes:
        again, fresh = update(again, {key_hash: sha256(b"")}, kept)
        kept |= fresh
    assert again == root


def test_paths_are_as_long_as_the_map_needs():
    contents = {f"key/{number}": b"" for number in range(4096)}
    root, nodes = map_of(contents)
    lengths = [len(prove(root, f"key/{number}", nodes).path) for number in range(200)]

    assert 12 <= sum(lengths) / len(lengths) <= 15
    assert max(lengths) < 30


def test_a_proof_is_about_its_key_and_its_root():
    proof = prove(ROOT, "record/3", NODES)
    other_root = map_root(map_changes(RECORDS | {"record/3": b"changed"}))

    refused(proof, key="record/4", value=b"value 3", root=ROOT)
    refused(proof, key="record/4", value=b"value 4", root=ROOT)
    refused(proof, key="record/3", value=b"value 3", root=other_root)
    refused(proof, key="record/3", value=b"value 3", root=ROOT[:31])


def test_presence_is_not_passed_off_as_absence():
    key = "record/3"
    proof = prove(ROOT, key, NODES)
    leaf = MapLeaf(map_key_hash(key), sha256(RECORDS[key]))

    refused(MapProof(key=key, path=proof.path, other=leaf), key=key, value=None, root=ROOT)
    refused(MapProof(key=key, path=proof.path), key=key, value=None, root=ROOT)
    refused(MapProof(key=key, path=proof.path, other=leaf), key=key, value=RECORDS[key], root=ROOT)


def test_another_leaf_must_stand_where_the_key_would():
    """Two siblings of one shape: the path of one, folded with the bits of the other."""
    left, right = bytes(32), b"\x80" + bytes(31)
    value = sha256(b"")
    root, nodes = update(EMPTY, {left: value, right: value}, {})
    key = next(k for k in map(str, range(99)) if map_key_hash(k)[0] < 0x80)
    honest = prove(root, key, nodes)

    verify_map_proof(honest, key=key, value=None, root=root)
    assert honest.other == MapLeaf(left, value)
    # The right leaf put on the left of a tree of the forger's own making.
    forged = MapProof(key=key, path=honest.path, other=MapLeaf(right, value))
    forged_root = labelled_hash("cairn/map-node/v1", MapLeaf(right, value).hash, honest.path[0])
    with pytest.raises(MapNotProven, match="does not stand"):
        verify_map_proof(forged, key=key, value=None, root=forged_root)


def test_another_leaf_of_the_wrong_length_is_refused():
    key, value = CASES["absence-by-another-leaf"]
    proof = prove(ROOT, key, NODES)
    assert proof.other is not None

    for other in (
        MapLeaf(b"", proof.other.value_hash),
        MapLeaf(proof.other.key_hash[:1], proof.other.value_hash),
        MapLeaf(proof.other.key_hash, b""),
    ):
        with pytest.raises(MapNotProven, match="length"):
            verify_map_proof(
                MapProof(key=key, path=proof.path, other=other), key=key, value=value, root=ROOT
            )


def test_a_proof_deeper_than_the_map_is_refused():
    """A node over one leaf and nothing is a root of no honest map."""
    key = next(k for k in map(str, range(99)) if map_key_hash(k)[0] < 0x80)
    leaf = MapLeaf(map_key_hash(key), sha256(b"v"))
    root = labelled_hash("cairn/map-node/v1", leaf.hash, EMPTY)

    with pytest.raises(MapNotProven, match="deeper"):
        verify_map_proof(MapProof(key=key, path=(EMPTY,)), key=key, value=b"v", root=root)


def spoiled_hashes(proof: MapProof) -> list[MapProof]:
    """The proof with each single bit of each of its hashes flipped."""
    results = []
    for position, item in enumerate(proof.path):
        for bit in range(256):
            flipped = (int.from_bytes(item, "big") ^ 1 << bit).to_bytes(32, "big")
            path = (*proof.path[:position], flipped, *proof.path[position + 1 :])
            results.append(MapProof(key=proof.key, path=path, other=proof.other))
    if proof.other:
        for bit in range(512):
            both = proof.other.key_hash + proof.other.value_hash
            flipped = (int.from_bytes(both, "big") ^ 1 << bit).to_bytes(64, "big")
            other = MapLeaf(flipped[:32], flipped[32:])
            results.append(MapProof(key=proof.key, path=proof.path, other=other))
    return results


CASES = {
    "presence": ("record/3", b"value 3"),
    "absence-by-another-leaf": (absent_keys(ROOT, NODES, empty=False)[0], None),
    "absence-by-nothing": (absent_keys(ROOT, NODES, empty=True)[0], None),
}


@pytest.mark.parametrize("case", CASES)
def test_every_flipped_bit_is_refused(case: str):
    key, value = CASES[case]
    proof = prove(ROOT, key, NODES)
    spoiled = spoiled_hashes(proof)

    verify_map_proof(proof, key=key, value=value, root=ROOT)
    assert len(spoiled) == 256 * len(proof.path) + (512 if proof.other else 0)
    for forged in spoiled:
        refused(forged, key=key, value=value, root=ROOT)
    verify_map_proof(proof, key=key, value=value, root=ROOT)


@pytest.mark.parametrize("case", CASES)
def test_every_flipped_bit_of_the_json_form_is_refused(case: str):
    key, value = CASES[case]
    data = canonical_json(map_proof_json(prove(ROOT, key, NODES)))

    verify_map_proof(parse_map_proof(parse_json(data)), key=key, value=value, root=ROOT)
    for position in range(8 * len(data)):
        forged = bytearray(data)
        forged[position // 8] ^= 1 << position % 8
        with pytest.raises(Refusal):
            verify_map_proof(
                parse_map_proof(parse_json(bytes(forged))), key=key, value=value, root=ROOT
            )


@pytest.mark.parametrize("case", CASES)
def test_a_shortened_or_lengthened_path_is_refused(case: str):
    key, value = CASES[case]
    proof = prove(ROOT, key, NODES)

    for path in (
        proof.path[1:],
        proof.path[:-1],
        (EMPTY, *proof.path),
        (*proof.path, EMPTY),
        (*proof.path, ROOT),
        proof.path[::-1],
        (),
        (ROOT,) * 257,
        (*proof.path[:-1], proof.path[-1][:31]),
    ):
        refused(MapProof(key=key, path=path, other=proof.other), key=key, value=value, root=ROOT)


GOOD = map_proof_json(prove(ROOT, CASES["absence-by-another-leaf"][0], NODES))


def changed(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in (GOOD | members).items() if value is not ...}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "proof",
        {},
        changed(key=...),
        changed(bits=...),
        changed(path=...),
        changed(value=None),
        changed(key=7),
        changed(key=""),
        changed(key="k" * (MAX_KEY_BYTES + 1)),
        changed(key="\ud800"),
        changed(bits=GOOD["bits"] + 1),
        changed(bits=float(GOOD["bits"])),
        changed(bits=True),
        changed(bits=str(GOOD["bits"])),
        changed(path="AAAA"),
        changed(path={}),
        changed(path=[*GOOD["path"][1:], 7]),
        changed(path=[*GOOD["path"][1:], GOOD["path"][0] + "="]),
        changed(path=[*GOOD["path"][1:], GOOD["path"][0][:-1]]),
        changed(path=GOOD["path"][:1] * 257, bits=257),
        changed(other=None),
        changed(other={}),
        changed(other={"keyhash": GOOD["other"]["keyhash"]}),
        changed(other={**GOOD["other"], "more": 1}),
        changed(other={**GOOD["other"], "valuehash": "AAAA"}),
    ],
)
def test_another_json_form_is_malformed(value: Any):
    with pytest.raises(Malformed):
        parse_map_proof(value)


def test_the_json_form_has_these_members_and_no_others():
    assert GOOD.keys() == {"key", "bits", "path", "other"}
    assert map_proof_json(prove(ROOT, "record/3", NODES)).keys() == {"key", "bits", "path"}


@pytest.mark.parametrize("damage", ["missing", "flipped", "short", "tag"])
def test_a_damaged_store_proves_nothing(damage: str):
    nodes = dict(NODES)
    node = nodes[ROOT]
    if damage == "missing":
        del nodes[ROOT]
    else:
        nodes[ROOT] = {
            "flipped": node[:40] + bytes([node[40] ^ 1]) + node[41:],
            "short": node[:64],
            "tag": b"\x00" + node[1:],
        }[damage]

    with pytest.raises(MapStoreDamaged):
        prove(ROOT, "record/3", nodes)
    with pytest.raises(MapStoreDamaged):
        find(ROOT, "record/3", nodes)
    with pytest.raises(MapStoreDamaged):
        update(ROOT, map_changes({"record/3": b"new"}), nodes)


def test_keys_have_a_bound():
    map_key_hash("k" * MAX_KEY_BYTES)
    for key in ("", "k" * (MAX_KEY_BYTES + 1), "é" * (MAX_KEY_BYTES // 2 + 1), "\udfff"):
        with pytest.raises(Malformed):
            map_key_hash(key)
        with pytest.raises(Malformed):
            prove(ROOT, key, NODES)
