"""The bytes of a light block: protobuf reads them, there is one way, and no changed bit passes."""

from contextlib import suppress
from dataclasses import replace

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from registry.core.light_client.commit import verify_commit
from registry.core.light_client.encodings import light_block_bytes
from registry.core.light_client.light_block import LightBlock
from registry.core.light_client.parsing import parse_light_block
from registry.core.proofs import NotProven
from registry.core.refusals import Malformed
from tests.registry.core.light_client.chain import Step, block_of, members

FOUR = members(1, 2, 3, 4)
BLOCK = block_of(Step(7, FOUR, FOUR), signers=(1, 2, 4))

# Field numbers and types of CometBFT's `proto/tendermint/types/{types,validator}.proto`.
_NUMBER, _BYTES, _TEXT = "uint64", "bytes", "string"
_MESSAGES = {
    "Time": [(1, "seconds", "int64"), (2, "nanos", "int32")],
    "Version": [(1, "block", _NUMBER), (2, "app", _NUMBER)],
    "Parts": [(1, "total", "uint32"), (2, "hash", _BYTES)],
    "BlockId": [(1, "hash", _BYTES), (2, "parts", "Parts")],
    "Header": [
        (1, "version", "Version"),
        (2, "chain_id", _TEXT),
        (3, "height", "int64"),
        (4, "time", "Time"),
        (5, "last_block_id", "BlockId"),
        *((6 + place, f"hash_{6 + place}", _BYTES) for place in range(9)),
    ],
    "Vote": [(1, "kind", "int32"), (2, "address", _BYTES), (3, "time", "Time"), (4, "sig", _BYTES)],
    "Commit": [
        (1, "height", "int64"),
        (2, "round", "int32"),
        (3, "block_id", "BlockId"),
        (4, "votes", "*Vote"),
    ],
    "Key": [(1, "ed25519", _BYTES)],
    "Validator": [(1, "address", _BYTES), (2, "key", "Key"), (3, "power", "int64")],
    "Set": [(1, "validators", "*Validator")],
    "Signed": [(1, "header", "Header"), (2, "commit", "Commit")],
    "LightBlock": [(1, "signed", "Signed"), (2, "set", "Set")],
}


def _protobuf_class():
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="light.proto", package="light", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, member, kind in fields:
            added = message.field.add(number=number, name=member)
            added.label = field.LABEL_REPEATED if kind[0] == "*" else field.LABEL_OPTIONAL
            if kind.lstrip("*") in _MESSAGES:
                added.type, added.type_name = field.TYPE_MESSAGE, f".light.{kind.lstrip('*')}"
            else:
                added.type = getattr(field, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("light.LightBlock"))


def test_protobuf_reads_what_we_write_and_writes_it_again():
    data = light_block_bytes(BLOCK)

    read = _protobuf_class().FromString(data)

    assert read.SerializeToString(deterministic=True) == data
    assert read.signed.header.height == 7
    assert read.signed.header.chain_id == BLOCK.header.chain_id
    assert read.signed.header.hash_11 == BLOCK.header.app_hash
    assert [vote.kind for vote in read.signed.commit.votes] == [
        vote.kind for vote in BLOCK.commit.votes
    ]
    assert [item.key.ed25519 for item in read.set.validators] == [
        item.key.data for item in FOUR.validators
    ]


def test_a_light_block_comes_back_from_its_bytes():
    for signers, nil in [((1, 2, 3, 4), ()), ((1, 2, 3), ()), ((2, 3, 4), (1,))]:
        block = block_of(Step(2**30, FOUR, members(5)), signers=signers, nil=nil)

        assert parse_light_block(light_block_bytes(block)) == block
        verify_commit(block)


def _passes(data: bytes) -> bool:
    try:
        verify_commit(parse_light_block(data))
    except (Malformed, NotProven):
        return False
    return True


def test_no_light_block_with_one_changed_bit_passes():
    data = light_block_bytes(BLOCK)
    assert _passes(data)

    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            assert not _passes(bytes(changed)), (place, bit)


def test_no_light_block_with_one_byte_more_or_less_passes():
    data = light_block_bytes(BLOCK)

    for place in range(len(data)):
        assert not _passes(data[:place] + data[place + 1 :])
        assert not _passes(data[:place] + b"\0" + data[place:])
        assert not _passes(data[:place])


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("nothing", b""),
        ("a varint without end", b"\xff" * 40),
        ("a field beyond the end", b"\x0a\x7f\x00"),
        ("a length of 2^60", b"\x0a" + b"\x80" * 8 + b"\x10"),
        ("a group", b"\x0b\x0c"),
        ("too many bytes", bytes(1 << 16)),
    ],
)
def test_what_is_no_light_block_is_refused(what: str, data: bytes):
    with pytest.raises(Malformed):
        parse_light_block(data)


@pytest.mark.parametrize("number", [1, 2])
def test_a_priority_a_proposer_or_a_total_is_refused(number: int):
    data = light_block_bytes(BLOCK)
    message = _protobuf_class().FromString(data)
    unknown = bytes([3 << 3 | 2, 2, 8, 1]) if number == 1 else bytes([3 << 3, 7])

    longer = message.SerializeToString() + unknown

    with pytest.raises(Malformed):
        parse_light_block(longer)


@given(st.binary(max_size=600))
def test_only_refusals_leave_the_parser(data: bytes):
    with suppress(Malformed):
        parse_light_block(data)


@given(st.data())
def test_only_refusals_leave_the_parser_of_spoilt_blocks(data: st.DataObject):
    spoilt = bytearray(light_block_bytes(BLOCK))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(spoilt) - 1))
        spoilt[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        if not spoilt:
            break

    with suppress(Malformed, NotProven):
        verify_commit(parse_light_block(bytes(spoilt)))


def test_another_order_of_the_votes_does_not_pass():
    first, second, *others = BLOCK.commit.votes
    commit = replace(BLOCK.commit, votes=(second, first, *others))

    assert not _passes(light_block_bytes(LightBlock(BLOCK.header, commit, FOUR)))
