"""The messages of ABCI 2.0 and their framing on a socket.

The message classes are made when this module is loaded, from the table below: no generated file,
no compiler, no version check between generator and library. Field numbers are those of
`proto/tendermint/abci/types.proto` of CometBFT 0.38 and 0.39, whose difference is additive; fields
that this application has no use for are left out, and protobuf skips them.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

MAX_MESSAGE_BYTES = 32 << 20  # a block is at most 4 MiB, a chunk of a snapshot at most 16

_PACKAGE = "cairn.abci"
_VARINT_BYTES = 10

# message -> fields, as "name:number:type"; a star means repeated, other types are scalars.
_TABLE = """
Timestamp          seconds:1:int64 nanos:2:int32
PublicKey          ed25519:1:bytes
ValidatorUpdate    pub_key:1:PublicKey power:2:int64
Validator          address:1:bytes power:3:int64
Misbehavior        type:1:int32 validator:2:Validator height:3:int64
Snapshot           height:1:uint64 format:2:uint32 chunks:3:uint32 hash:4:bytes metadata:5:bytes
ExecTxResult       code:1:uint32 log:3:string codespace:8:string
RequestEcho        message:1:string
RequestFlush
RequestInfo        version:1:string
RequestInitChain   time:1:Timestamp chain_id:2:string validators:4:*ValidatorUpdate \
                   app_state_bytes:5:bytes initial_height:6:int64
RequestQuery       data:1:bytes path:2:string height:3:int64
RequestCheckTx     tx:1:bytes type:2:int32
RequestCommit
RequestListSnapshots
RequestOfferSnapshot        snapshot:1:Snapshot app_hash:2:bytes
RequestLoadSnapshotChunk    height:1:uint64 format:2:uint32 chunk:3:uint32
RequestApplySnapshotChunk   index:1:uint32 chunk:2:bytes sender:3:string
RequestPrepareProposal      max_tx_bytes:1:int64 txs:2:*bytes height:5:int64
RequestProcessProposal      txs:1:*bytes height:5:int64
RequestExtendVote           height:2:int64
RequestVerifyVoteExtension  height:3:int64 vote_extension:4:bytes
RequestFinalizeBlock        txs:1:*bytes misbehavior:3:*Misbehavior height:5:int64 time:6:Timestamp
Request  echo:1:RequestEcho flush:2:RequestFlush info:3:RequestInfo \
         init_chain:5:RequestInitChain query:6:RequestQuery check_tx:8:RequestCheckTx \
         commit:11:RequestCommit list_snapshots:12:RequestListSnapshots \
         offer_snapshot:13:RequestOfferSnapshot load_snapshot_chunk:14:RequestLoadSnapshotChunk \
         apply_snapshot_chunk:15:RequestApplySnapshotChunk \
         prepare_proposal:16:RequestPrepareProposal process_proposal:17:RequestProcessProposal \
         extend_vote:18:RequestExtendVote \
         verify_vote_extension:19:RequestVerifyVoteExtension \
         finalize_block:20:RequestFinalizeBlock
ResponseException  error:1:string
ResponseEcho       message:1:string
ResponseFlush
ResponseInfo       data:1:string version:2:string app_version:3:uint64 \
                   last_block_height:4:int64 last_block_app_hash:5:bytes
ResponseInitChain  validators:2:*ValidatorUpdate app_hash:3:bytes
ResponseQuery      code:1:uint32 log:3:string key:6:bytes value:7:bytes height:9:int64 \
                   codespace:10:string
ResponseCheckTx    code:1:uint32 log:3:string codespace:8:string
ResponseCommit     retain_height:3:int64
ResponseListSnapshots       snapshots:1:*Snapshot
ResponseOfferSnapshot       result:1:int32
ResponseLoadSnapshotChunk   chunk:1:bytes
ResponseApplySnapshotChunk  result:1:int32 refetch_chunks:2:*uint32 reject_senders:3:*string
ResponsePrepareProposal     txs:1:*bytes
ResponseProcessProposal     status:1:int32
ResponseExtendVote          vote_extension:1:bytes
ResponseVerifyVoteExtension status:1:int32
ResponseFinalizeBlock       tx_results:2:*ExecTxResult validator_updates:3:*ValidatorUpdate \
                            app_hash:5:bytes
Response exception:1:ResponseException echo:2:ResponseEcho flush:3:ResponseFlush \
         info:4:ResponseInfo init_chain:6:ResponseInitChain query:7:ResponseQuery \
         check_tx:9:ResponseCheckTx commit:12:ResponseCommit \
         list_snapshots:13:ResponseListSnapshots offer_snapshot:14:ResponseOfferSnapshot \
         load_snapshot_chunk:15:ResponseLoadSnapshotChunk \
         apply_snapshot_chunk:16:ResponseApplySnapshotChunk \
         prepare_proposal:17:ResponsePrepareProposal \
         process_proposal:18:ResponseProcessProposal extend_vote:19:ResponseExtendVote \
         verify_vote_extension:20:ResponseVerifyVoteExtension \
         finalize_block:21:ResponseFinalizeBlock
"""

_ONE_OF = ("Request", "Response")
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
    "bytes": _Field.TYPE_BYTES,
    "string": _Field.TYPE_STRING,
}


class FrameBroken(Exception):
    """The other end of the socket does not speak ABCI; the connection is of no more use."""


class Stream(Protocol):
    """A buffered connection."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; fewer at the end of the stream."""
        ...

    def write(self, data: bytes, /) -> int:
        """Take all of `data`."""
        ...


def _message_classes() -> dict[str, type[message.Message]]:
    file = descriptor_pb2.FileDescriptorProto(
        name="cairn/abci.proto", package=_PACKAGE, syntax="proto3"
    )
    for line in _TABLE.replace("\\\n", "").strip().splitlines():
        name, *fields = line.split()
        described = file.message_type.add(name=name)
        if name in _ONE_OF:
            described.oneof_decl.add(name="value")
        for item in fields:
            field_name, number, kind = item.split(":")
            field = described.field.add(name=field_name, number=int(number))
            field.label = _Field.LABEL_REPEATED if kind[0] == "*" else _Field.LABEL_OPTIONAL
            kind = kind.removeprefix("*")
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            if name in _ONE_OF:
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        item.name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{_PACKAGE}.{item.name}")
        )
        for item in file.message_type
    }


_CLASSES = _message_classes()


def new_message(name: str, **fields: Any) -> Any:
    """A message of ABCI by its name in the specification."""
    return _CLASSES[name](**fields)


def read_messages(stream: Stream, name: str) -> Iterator[Any]:
    """Messages of one kind from a stream, each behind its length, until the stream ends.

    Raises:
        FrameBroken: a length is no varint or too great, the stream ends inside a message, or the
            message is none.
    """
    while (size := _read_length(stream)) is not None:
        if size > MAX_MESSAGE_BYTES:
            raise FrameBroken(f"a message of {size} bytes is more than {MAX_MESSAGE_BYTES}")
        data = stream.read(size)
        if len(data) != size:
            raise FrameBroken("the stream ends inside a message")
        try:
            yield _CLASSES[name].FromString(data)
        except message.DecodeError as error:
            raise FrameBroken(f"no {name}") from error


def write_message(stream: Stream, sent: Any) -> None:
    """Write a message behind its length; the caller flushes."""
    data = sent.SerializeToString()
    length, head = len(data), bytearray()
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    stream.write(bytes(head) + data)


def _read_length(stream: Stream) -> int | None:
    value = 0
    for place in range(_VARINT_BYTES):
        byte = stream.read(1)
        if not byte:
            if place:
                raise FrameBroken("the stream ends inside a length")
            return None
        value |= (byte[0] & 0x7F) << 7 * place
        if byte[0] < 0x80:
            return value
    raise FrameBroken("a length is no varint")
