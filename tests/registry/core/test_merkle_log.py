"""RFC 9162 trees: published vectors, known roots, and every way to spoil a proof."""

from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.fields import MAX_INTEGER
from registry.core.merkle_log import (
    EMPTY_ROOT,
    ConsistencyNotProven,
    InclusionNotProven,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.vectors import read_vector, vector_files

INCLUSION = vector_files("merkle/testdata/inclusion/**/*.json")
CONSISTENCY = vector_files("merkle/testdata/consistency/**/*.json")

# The entries and roots of the Certificate Transparency reference tests (repository
# google/certificate-transparency, python/ct/crypto/merkle_test.py), sizes 1 to 8.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(root)
    for root in (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def name_of(path: Path) -> str:
    return "/".join(path.parts[-3:]).removesuffix(".json")


def test_the_vectors_are_here():
    # An empty glob would pass every test below. Six of each set are positive.
    assert (len(INCLUSION), len(CONSISTENCY)) == (98, 98)
    for cases in (INCLUSION, CONSISTENCY):
        assert sum(not read_vector(case)["wantErr"] for case in cases) == 6


@pytest.mark.parametrize("case", INCLUSION, ids=name_of)
def test_published_inclusion_proof(case: Path):
    vector = read_vector(case)
    proof = {
        "leaf": b64decode(vector["leafHash"] or ""),
        "index": vector["leafIdx"],
        "tree_size": vector["treeSize"],
        "path": [b64decode(item) for item in vector["proof"] or ()],
        "root": b64decode(vector["root"] or ""),
    }

    if vector["wantErr"]:
        with pytest.raises(InclusionNotProven):
            verify_inclusion(**proof)
    else:
        verify_inclusion(**proof)


@pytest.mark.parametrize("case", CONSISTENCY, ids=name_of)
def test_published_consistency_proof(case: Path):
    vector = read_vector(case)
    proof = {
        "first": vector["size1"],
        "second": vector["size2"],
        "first_root": b64decode(vector["root1"] or ""),
        "second_root": b64decode(vector["root2"] or ""),
        "path": [b64decode(item) for item in vector["proof"] or ()],
    }

    if vector["wantErr"]:
        with pytest.raises(ConsistencyNotProven):
            verify_consistency(**proof)
    else:
        verify_consistency(**proof)


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots(size: int):
    assert root_of(LEAVES[:size]) == ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing():
    assert root_of([]) == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_known_inclusion_path():
    # Leaf 5 of 8 in the same reference tests.
    path = [item.hex() for item in inclusion_path(LEAVES, 5)]

    assert path == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(size)]


@given(st.data())
def test_every_inclusion_proof_verifies_and_no_other_does(data: st.DataObject):
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    root, path = root_of(leaves), inclusion_path(leaves, index)

    verify_inclusion(leaf=leaves[index], index=index, tree_size=size, path=path, root=root)

    other = data.draw(st.integers(0, size - 1).filter(lambda i: i != index)) if size > 1 else 1
    with pytest.raises(InclusionNotProven):
        verify_inclusion(leaf=leaves[index], index=other, tree_size=size, path=path, root=root)
    with pytest.raises(InclusionNotProven):
        verify_inclusion(
            leaf=leaves[index],
            index=index,
            tree_size=size,
            path=[*path, data.draw(st.sampled_from(leaves))],
            root=root,
        )
    if path:
        with pytest.raises(InclusionNotProven):
            verify_inclusion(
                leaf=leaves[index], index=index, tree_size=size, path=path[:-1], root=root
            )


@given(st.data())
def test_every_consistency_proof_verifies_and_a_rewritten_log_has_none(data: st.DataObject):
    second = data.draw(st.integers(1, 70))
    first = data.draw(st.integers(1, second))
    leaves = leaves_of(second)
    path = consistency_path(leaves, first)
    proof = {
        "first": first,
        "second": second,
        "first_root": root_of(leaves[:first]),
        "second_root": root_of(leaves),
    }

    verify_consistency(**proof, path=path)

    changed = data.draw(st.integers(0, first - 1))
    rewritten = [*leaves]
    rewritten[changed] = leaf_hash(b"rewritten")
    proof["second_root"] = root_of(rewritten)
    for spoiled in (path, consistency_path(rewritten, first)):
        with pytest.raises(ConsistencyNotProven):
            verify_consistency(**proof, path=spoiled)


def flips(value: bytes) -> list[bytes]:
    return [
        value[:i] + bytes([value[i] ^ 1 << bit]) + value[i + 1 :]
        for i in range(len(value))
        for bit in range(8)
    ]


def test_every_flipped_bit_of_an_inclusion_proof_is_refused():
    leaves = leaves_of(7)
    parts = [leaves[4], root_of(leaves), *inclusion_path(leaves, 4)]
    tried = 0
    for position, part in enumerate(parts):
        for flipped in flips(part):
            leaf, root, *path = [*parts[:position], flipped, *parts[position + 1 :]]
            tried += 1
            with pytest.raises(InclusionNotProven):
                verify_inclusion(leaf=leaf, index=4, tree_size=7, path=path, root=root)

    assert tried == 5 * 256


def test_every_flipped_bit_of_a_consistency_proof_is_refused():
    leaves = leaves_of(7)
    parts = [root_of(leaves[:3]), root_of(leaves), *consistency_path(leaves, 3)]
    tried = 0
    for position, part in enumerate(parts):
        for flipped in flips(part):
            older, newer, *path = [*parts[:position], flipped, *parts[position + 1 :]]
            tried += 1
            with pytest.raises(ConsistencyNotProven):
                verify_consistency(
                    first=3, second=7, first_root=older, second_root=newer, path=path
                )

    assert tried == 6 * 256


def test_an_inner_node_does_not_pass_for_an_entry():
    leaves = leaves_of(4)
    root = root_of(leaves)
    left = node_hash(leaves[0], leaves[1])

    assert leaf_hash(leaves[0] + leaves[1]) != left
    with pytest.raises(InclusionNotProven):  # half the tree, offered as entry 0 of 4
        verify_inclusion(
            leaf=left, index=0, tree_size=4, path=inclusion_path(leaves, 0)[1:], root=root
        )


@pytest.mark.parametrize(
    ("index", "tree_size"),
    [(-1, 4), (4, 4), (0, 0), (0, -1), (0, MAX_INTEGER + 1), (1 << 80, 1 << 81)],
)
def test_an_index_outside_the_tree_is_refused(index: int, tree_size: int):
    leaves = leaves_of(4)

    with pytest.raises(InclusionNotProven):
        verify_inclusion(
            leaf=leaves[0],
            index=index,
            tree_size=tree_size,
            path=inclusion_path(leaves, 0),
            root=root_of(leaves),
        )


def test_a_proof_of_a_higher_tree_does_not_serve_a_lower_one():
    """What step 4.a and 6.a are for: the same hashes, read as a proof about smaller sizes."""
    leaves = leaves_of(8)
    root = root_of(leaves[:2])
    path = inclusion_path(leaves[:2], 1)
    growth = consistency_path(leaves, 7)
    roots = {"first_root": root_of(leaves[:7]), "second_root": root_of(leaves)}

    verify_inclusion(leaf=leaves[1], index=1, tree_size=2, path=path, root=root)
    with pytest.raises(InclusionNotProven, match="longer"):
        verify_inclusion(leaf=leaves[1], index=0, tree_size=1, path=path, root=root)
    verify_consistency(first=7, second=8, path=growth, **roots)
    with pytest.raises(ConsistencyNotProven, match="longer"):
        verify_consistency(first=3, second=4, path=growth, **roots)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_hashes_of_another_length_are_refused(length: int):
    wrong = bytes(length)
    leaf, root = leaves_of(1)[0], root_of(leaves_of(1))

    # A one-leaf tree compares leaf and root: equal values of a wrong length must not pass.
    with pytest.raises(InclusionNotProven):
        verify_inclusion(leaf=wrong, index=0, tree_size=1, path=[], root=wrong)
    with pytest.raises(ConsistencyNotProven):
        verify_consistency(first=1, second=2, first_root=wrong, second_root=root, path=[leaf])
    with pytest.raises(InclusionNotProven):
        verify_inclusion(leaf=leaf, index=0, tree_size=2, path=[wrong], root=root)


def test_endless_paths_are_refused_before_they_are_hashed():
    leaf = leaves_of(1)[0]

    with pytest.raises(InclusionNotProven, match="too many"):
        verify_inclusion(leaf=leaf, index=0, tree_size=MAX_INTEGER, path=[leaf] * 65, root=leaf)
    with pytest.raises(ConsistencyNotProven, match="too many"):
        verify_consistency(
            first=1, second=MAX_INTEGER, first_root=leaf, second_root=leaf, path=[leaf] * 65
        )


def test_proofs_that_cannot_be_made_are_refused():
    with pytest.raises(InclusionNotProven):
        inclusion_path(leaves_of(3), 3)
    with pytest.raises(ConsistencyNotProven):
        consistency_path(leaves_of(3), 0)
    with pytest.raises(ConsistencyNotProven):
        consistency_path(leaves_of(3), 4)
