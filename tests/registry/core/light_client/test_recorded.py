"""Headers that real nodes made: those of others, and those of a network of our own."""

import base64
import itertools
import json
from typing import Any

import pytest

from registry.core.any_trust_anchor import parse_trust_anchor
from registry.core.checkpoint import parse_head, verify_head
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.consortium_head import read_evidence
from registry.core.light_client.commit import verify_commit
from registry.core.light_client.encodings import header_hash, light_block_bytes, validators_hash
from registry.core.light_client.light_block import VoteKind
from registry.core.light_client.parsing import parse_light_block
from registry.core.light_client.rpc_json import light_block_of_rpc, validators_of_rpc
from registry.core.proofs import NotProven
from registry.core.refusals import Conflict, Malformed
from tests.registry.core.light_client.record import FILE
from tests.vectors import read_vector, vector_files

RPC = vector_files("light-client/rpc/tests/kvstore_fixtures/v0_38/incoming/*.json")
RECORDED = json.loads(FILE.read_text(encoding="utf-8"))


def headers_in(value: Any) -> list[tuple[dict[str, Any], str]]:
    """Every header beside a block id that names it, wherever it stands in an answer."""
    if isinstance(value, list):
        return [found for item in value for found in headers_in(item)]
    if not isinstance(value, dict):
        return []
    here = []
    if "block_id" in value and isinstance(value.get("block"), dict):
        here.append((value["block"]["header"], value["block_id"]["hash"]))
    elif "block_id" in value and "header" in value:
        here.append((value["header"], value["block_id"]["hash"]))
    elif "commit" in value and "header" in value:
        here.append((value["header"], value["commit"]["block_id"]["hash"]))
    return here + [found for item in value.values() for found in headers_in(item)]


def hashed(header: dict[str, Any], genesis: dict[str, Any]) -> str:
    votes = [{"block_id_flag": 1}]
    block_id = {"hash": "", "parts": {"total": 0, "hash": ""}}
    commit = {"height": "1", "round": 0, "block_id": block_id, "signatures": votes}
    signed = {"header": header, "commit": commit}
    return header_hash(light_block_of_rpc(signed, genesis["validators"]).header).hex().upper()


def test_every_header_in_the_published_answers_of_nodes_has_the_hash_beside_it():
    (at,) = [path for path in RPC if path.name == "genesis.json"]
    genesis = read_vector(at)["result"]["genesis"]
    found = [pair for path in RPC for pair in headers_in(read_vector(path))]

    assert len(found) >= 25
    for header, expected in found:
        assert hashed(header, genesis) == expected


def test_the_genesis_validators_of_the_published_node_have_the_hash_in_its_headers():
    (at,) = [path for path in RPC if path.name == "genesis.json"]
    (commit,) = [path for path in RPC if path.name == "commit_at_height_10.json"]
    validators = read_vector(at)["result"]["genesis"]["validators"]
    signed = read_vector(commit)["result"]["signed_header"]

    block = light_block_of_rpc(signed, validators)

    assert validators_hash(validators_of_rpc(validators)) == block.header.validators_hash
    verify_commit(block)


def recorded_anchor() -> ConsortiumAnchor:
    anchor = parse_trust_anchor(RECORDED["anchor"])
    assert isinstance(anchor, ConsortiumAnchor)
    return anchor


def test_light_blocks_of_our_own_network_are_committed_and_lead_from_one_to_the_next():
    blocks = [base64.b64decode(item["block"]) for item in RECORDED["light_blocks"]]
    parsed = [parse_light_block(data) for data in blocks]

    for data, block, item in zip(blocks, parsed, RECORDED["light_blocks"], strict=True):
        assert light_block_bytes(block) == data
        assert verify_commit(block).hash.hex().upper() == item["hash"]
    for block, following in itertools.pairwise(parsed):
        assert following.header.last_block == block.commit.block
    absent = {
        len([vote for vote in block.commit.votes if vote.kind is VoteKind.ABSENT])
        for block in parsed
    }
    assert 1 in absent  # one member was away
    followed = recorded_anchor().follow(parsed, now=RECORDED["now"] * 10**9)
    assert followed.newest.height == parsed[-1].header.height


def test_heads_of_our_own_network_are_believed_from_its_first_block_on():
    assert len(RECORDED["heads"]) >= 9
    for item in RECORDED["heads"]:
        head = verify_head(item["text"], recorded_anchor(), now=RECORDED["now"])
        assert (head.height, head.tree_size) == (item["height"], item["size"])


@pytest.mark.slow
def test_no_recorded_head_with_one_changed_bit_is_believed():
    note, anchor = RECORDED["heads"][-1]["text"].encode(), recorded_anchor()
    verify_head(note, anchor, now=RECORDED["now"])
    tried = 0

    for place in range(len(note)):
        for bit in range(8):
            changed = bytearray(note)
            changed[place] ^= 1 << bit
            with pytest.raises((Malformed, NotProven, Conflict)):
                verify_head(bytes(changed), anchor, now=RECORDED["now"])
            tried += 1

    assert tried == 8 * len(note) > 10_000
    assert read_evidence(parse_head(note)).header.height > 1
