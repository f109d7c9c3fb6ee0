/**
 * The part of protobuf that light blocks use: varints, 64-bit words, and fields with a length.
 *
 * As in `registry/core/light_client/wire.py`: `readFields` takes a message apart and bounds it; callers write
 * again what they have read and compare, so each value has one encoding.
 */
import { concat } from '../encoding'
import { Problem } from '../problem'

export const VARINT = 0
const FIXED64 = 1
export const BYTES = 2
const MAX_VARINT_BYTES = 10 // 64 bits in groups of seven

/** A number from 0 to 2^53 - 1 as a base-128 varint. */
export function varint(value: number): Uint8Array {
  const groups: number[] = []
  while (value > 0x7f) {
    groups.push((value % 128) | 0x80)
    value = Math.floor(value / 128)
  }
  return Uint8Array.from([...groups, value])
}

/** A scalar field; nothing for zero, which proto3 leaves out. */
export function varintField(number: number, value: number): Uint8Array {
  return value ? concat(varint(number * 8 + VARINT), varint(value)) : new Uint8Array()
}

/** An `sfixed64` field of a number from 0 to 2^53 - 1; nothing for zero. */
export function fixed64Field(number: number, value: number): Uint8Array {
  if (!value) return new Uint8Array()
  const word = new Uint8Array(8)
  new DataView(word.buffer).setBigUint64(0, BigInt(value), true)
  return concat(varint(number * 8 + FIXED64), word)
}

/** A field of bytes; nothing when they are empty. */
export function bytesField(number: number, value: Uint8Array): Uint8Array {
  return value.length ? messageField(number, value) : new Uint8Array()
}

/** A field that holds a message; it is written even when the message is empty. */
export function messageField(number: number, value: Uint8Array): Uint8Array {
  return concat(varint(number * 8 + BYTES), varint(value.length), value)
}

/** The fields of one message. */
export interface Fields {
  number(field: number): number // zero when it is not there
  bytes(field: number): Uint8Array // empty when it is not there
  all(field: number): readonly Uint8Array[]
}

/**
 * Take a message apart.
 *
 * @param known the field numbers it may have, and the wire type of each.
 * @param most how many fields it may have, repetitions included.
 * @throws Problem 'malformed'
 */
export function readFields(data: Uint8Array, known: Readonly<Record<number, number>>, most: number): Fields {
  const numbers = new Map<number, number>()
  const values = new Map<number, Uint8Array[]>()
  let at = 0
  const read = (): number => {
    let value = 0
    for (let place = 0; place < MAX_VARINT_BYTES; place++) {
      const byte = data[at++]
      if (byte === undefined) return fail('protobuf message ends within a number')
      value += (byte % 128) * 2 ** (7 * place)
      if (byte < 128) return Number.isSafeInteger(value) ? value : fail('protobuf number above 2^53 - 1')
    }
    return fail('protobuf number of more than 64 bits')
  }
  for (let count = 0; at < data.length; count++) {
    if (count === most) fail('protobuf message has too many fields')
    const tag = read()
    const [number, wire] = [Math.floor(tag / 8), tag % 8]
    if (known[number] !== wire) fail('protobuf field that does not belong there')
    const value = read()
    if (wire === VARINT) {
      numbers.set(number, value)
      continue
    }
    if (value > data.length - at) fail('protobuf field goes beyond the end')
    const bytes = data.slice(at, at + value)
    at += value
    const before = values.get(number)
    if (before) before.push(bytes)
    else values.set(number, [bytes])
  }
  return {
    number: (field) => numbers.get(field) ?? 0,
    bytes: (field) => values.get(field)?.at(-1) ?? new Uint8Array(),
    all: (field) => values.get(field) ?? [],
  }
}

function fail(detail: string): never {
  throw new Problem('malformed', detail)
}
