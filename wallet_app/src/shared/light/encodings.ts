/**
 * The bytes of headers, votes and sets: what is hashed, what is signed, and what is sent.
 *
 * Messages of `proto/tendermint/types` of CometBFT 0.38, as `registry/core/light_client/encodings.py` writes
 * them. A message that cannot be null is written even when it is empty.
 */
import { concat, utf8 } from '../encoding'
import { leafHash, rootOf } from '../merkle'
import type { BlockId, Commit, CommitVote, Header, LightBlock, Validator } from './light_block'
import { bytesField, fixed64Field, messageField, varint, varintField } from './wire'

const SECOND = 1_000_000_000n
const PRECOMMIT = 2 // SignedMsgType

/** The hash that names a block: a Merkle root over its 14 fields. */
export function headerHash(header: Header): Uint8Array {
  const leaves = [
    versionBytes(header),
    bytesField(1, utf8(header.chainId)),
    varintField(1, header.height),
    timeBytes(header.time),
    blockIdBytes(header.lastBlock),
    ...[
      header.lastCommitHash,
      header.dataHash,
      header.validatorsHash,
      header.nextValidatorsHash,
      header.consensusHash,
      header.appHash,
      header.lastResultsHash,
      header.evidenceHash,
      header.proposer,
    ].map((value) => bytesField(1, value)),
  ]
  return rootOf(leaves.map(leafHash))
}

/** The hash by which a header names a set: a Merkle root over `SimpleValidator`s. */
export function validatorsHash(validators: readonly Validator[]): Uint8Array {
  return rootOf(validators.map((item) => leafHash(concat(messageField(1, keyBytes(item)), varintField(2, item.power)))))
}

/** What a validator has signed for its vote: a `CanonicalVote` with its length. A vote for nil names no block. */
export function voteMessage(commit: Commit, vote: CommitVote, chainId: string): Uint8Array {
  const message = concat(
    varintField(1, PRECOMMIT),
    fixed64Field(2, commit.height),
    fixed64Field(3, commit.round),
    vote.kind === 2 ? messageField(4, blockIdBytes(commit.block)) : new Uint8Array(),
    messageField(5, timeBytes(vote.time)),
    bytesField(6, utf8(chainId)),
  )
  return concat(varint(message.length), message)
}

/** `LightBlock`, without what no hash and no signature covers. */
export function lightBlockBytes(block: LightBlock): Uint8Array {
  const signed = concat(messageField(1, headerBytes(block.header)), messageField(2, commitBytes(block.commit)))
  const set = concat(...block.validators.map((item) => messageField(1, validatorBytes(item))))
  return concat(messageField(1, signed), messageField(2, set))
}

function headerBytes(header: Header): Uint8Array {
  return concat(
    messageField(1, versionBytes(header)),
    bytesField(2, utf8(header.chainId)),
    varintField(3, header.height),
    messageField(4, timeBytes(header.time)),
    messageField(5, blockIdBytes(header.lastBlock)),
    bytesField(6, header.lastCommitHash),
    bytesField(7, header.dataHash),
    bytesField(8, header.validatorsHash),
    bytesField(9, header.nextValidatorsHash),
    bytesField(10, header.consensusHash),
    bytesField(11, header.appHash),
    bytesField(12, header.lastResultsHash),
    bytesField(13, header.evidenceHash),
    bytesField(14, header.proposer),
  )
}

function commitBytes(commit: Commit): Uint8Array {
  return concat(
    varintField(1, commit.height),
    varintField(2, commit.round),
    messageField(3, blockIdBytes(commit.block)),
    ...commit.votes.map((vote) => messageField(4, voteBytes(vote))),
  )
}

function voteBytes(vote: CommitVote): Uint8Array {
  if (vote.kind === 1) return varintField(1, vote.kind)
  return concat(
    varintField(1, vote.kind),
    bytesField(2, vote.address),
    messageField(3, timeBytes(vote.time)),
    bytesField(4, vote.signature),
  )
}

function validatorBytes(item: Validator): Uint8Array {
  return concat(bytesField(1, item.address), messageField(2, keyBytes(item)), varintField(3, item.power))
}

function versionBytes(header: Header): Uint8Array {
  return concat(varintField(1, header.blockVersion), varintField(2, header.appVersion))
}

function timeBytes(time: bigint): Uint8Array {
  return concat(varintField(1, Number(time / SECOND)), varintField(2, Number(time % SECOND)))
}

function blockIdBytes(block: BlockId): Uint8Array {
  const parts = concat(varintField(1, block.parts), bytesField(2, block.partsHash))
  return concat(bytesField(1, block.hash), messageField(2, parts))
}

function keyBytes(item: Validator): Uint8Array {
  return messageField(1, item.key.data)
}
