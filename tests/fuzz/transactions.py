"""Spoils transactions in bounded numbers; the rules may answer with changes or a refusal only.

`python -m tests.fuzz.transactions 1000000 [seed]` runs long. Every input is made from the seed and
its number, so a finding can be made again from the line that reports it.
"""

import json
import random
import sys
from collections import Counter
from copy import deepcopy
from typing import Any

from registry.core.encoding import base64url_encode, canonical_json
from registry.core.refusals import Malformed, Refusal
from registry.core.transactions import parse_transaction
from registry.core.transitions import apply
from tests.registry.core.actors import P256Pair, Pair, TestLedger, pair
from tests.registry.core.story import story

_KEYS: list[Pair] = [
    pair(name)
    for name in ("root", "issuer", "issuer 2", "issuer di", "issuer safe", "authority", "bar")
]
_KEYS.append(P256Pair(5))
_MULTIKEYS = {held.key.multikey: held for held in _KEYS}

_ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**53 - 1,
    2**53,
    1.5,
    1e300,
    "",
    "\0",
    "\u202e",
    "\ud7ff",
    "\U0010ffff",
    "z6Mk",
    "did:cairn:cairn-test:1",
    "A" * 43,
    "x" * 5000,
    [],
    [[]],
    {},
    {"": ""},
    [None] * 300,
]


class Finding(AssertionError):
    """Something else than changes or a refusal came out."""


class Spoiler:
    """Makes spoilt transactions, and the states in which each is tried."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.told = story()
        self.states: list[dict[str, bytes]] = []
        ledger = TestLedger()
        for data in self.told:
            self.states.append(dict(ledger.state))
            ledger.apply(data)
        self.states.append(dict(ledger.state))
        self.block = ledger.block()
        self.objects = [json.loads(data) for data in self.told]

    def run(self, count: int, *, first: int = 0) -> Counter[str]:
        """Try inputs `first` to `first + count - 1`.

        Returns:
            How often each answer was given: the name of the refusal, or `changes`.

        Raises:
            Finding: for the first input that is answered otherwise, with its seed and number.
        """
        answers: Counter[str] = Counter()
        for number in range(first, first + count):
            rng = random.Random(self.seed * 1_000_003 + number)
            step = rng.randrange(len(self.told))
            data, signed_again = self.spoil(step, rng)
            # Mostly the state in which the untouched transaction would be taken.
            state = self.states[step if rng.random() < 0.9 else rng.randrange(len(self.states))]
            answer = self.answer(data, state, number)
            if answer == "changes" and not signed_again and not self._was_told(data):
                raise Finding(f"seed {self.seed} input {number}: a payload that nobody signed")
            answers[answer] += 1
        return answers

    def _was_told(self, data: bytes) -> bool:
        payload = json.loads(data)["payload"]
        return any(payload == told["payload"] for told in self.objects)

    def answer(self, data: bytes, state: dict[str, bytes], number: int) -> str:
        """What the rules say to these bytes."""
        try:
            transaction = parse_transaction(data)
            if canonical_json(transaction.to_object()) != data:
                raise Finding(f"seed {self.seed} input {number}: two byte strings for one request")
            changes = apply(transaction, state=state, block=self.block)
        except Refusal as refusal:
            return type(refusal).__name__
        except Exception as error:
            raise Finding(
                f"seed {self.seed} input {number}: {error!r} for {data[:2000]!r}"
            ) from error
        if not changes or not all(
            type(key) is str and type(value) is bytes for key, value in changes.items()
        ):
            raise Finding(f"seed {self.seed} input {number}: no changes")
        return "changes"

    def spoil(self, step: int, rng: random.Random) -> tuple[bytes, bool]:
        """One spoilt transaction, in bytes, and whether it was signed again."""
        kind = rng.randrange(10)
        if kind == 0:
            return rng.randbytes(rng.randrange(200)), False
        if kind <= 3:
            return self._spoil_bytes(self.told[step], rng), False
        spoilt = deepcopy(self.objects[step])
        # Only what lies under the payload when it is signed again, so that it reaches the rules.
        inside = kind >= 6
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            self._spoil_object(spoilt["payload"]["body"] if inside else spoilt, rng)
        try:
            if inside:
                self._sign(spoilt, rng)
            return canonical_json(spoilt), inside
        except Malformed:
            return json.dumps(spoilt).encode("utf-8", "surrogatepass"), inside

    def _spoil_bytes(self, data: bytes, rng: random.Random) -> bytes:
        spoilt = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            at = rng.randrange(len(spoilt))
            kind = rng.randrange(5)
            if kind == 0:
                spoilt[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                spoilt[at] = rng.randrange(256)
            elif kind == 2:
                del spoilt[at : at + rng.randrange(1, 20)]
            elif kind == 3:
                spoilt[at:at] = rng.choice((b'"', b"{", b"[", b"\\u0000", b"\\ud800", b"9" * 500))
            else:
                other = self.told[rng.randrange(len(self.told))]
                start = rng.randrange(len(other))
                spoilt[at : at + 40] = other[start : start + 40]
            if not spoilt:
                break
        return bytes(spoilt)

    def _spoil_object(self, root: Any, rng: random.Random) -> None:
        places = [(root, key) for key in root]
        for container, key in places:  # grows: all places below, breadth first
            value = container[key]
            if isinstance(value, dict):
                places.extend((value, name) for name in value)
            elif isinstance(value, list):
                places.extend((value, index) for index in range(len(value)))
        if not places:
            return
        container, key = places[rng.randrange(len(places))]
        kind = rng.randrange(6)
        if kind == 0:
            del container[key]
        elif kind == 1:
            container[key] = deepcopy(rng.choice(_ODD))
        elif kind == 2:
            container[key] = [deepcopy(container[key])] * rng.choice((1, 2, 20))
        elif kind == 3 and isinstance(container, dict):
            container[rng.choice(("extra", "record", "version", ""))] = deepcopy(rng.choice(_ODD))
        elif kind == 4:
            other, name = places[rng.randrange(len(places))]
            container[key] = deepcopy(other[name])
        elif isinstance(container[key], str) and container[key]:
            text = container[key]
            at = rng.randrange(len(text))
            container[key] = (
                text[:at] + rng.choice(("", "A", "#", "\n", "é", text)) + text[at + 1 :]
            )
        elif isinstance(container[key], int):
            container[key] += rng.choice((-1, 1, 2**31))

    def _sign(self, spoilt: Any, rng: random.Random) -> None:
        """Sign again under the same key ids, with the keys that the told story uses."""
        message = b"cairn-transaction/1\0" + canonical_json(spoilt["payload"])
        methods = spoilt["payload"]["body"]
        named: dict[str, Pair] = {
            "governance-1": pair("root"),
            "ledger-2": pair("issuer 2"),
            "di-1": pair("issuer di"),
            "jose-1": P256Pair(5),
            "recovery-1": pair("issuer safe"),
        }
        first = _first_keys()
        author = spoilt["payload"]["author"]
        listed = methods.get("verificationMethods") if isinstance(methods, dict) else None
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("publicKeyMultibase"), str):
                held = _MULTIKEYS.get(entry["publicKeyMultibase"])
                if held and isinstance(entry.get("fragment"), str):
                    named[entry["fragment"]] = held
        for signature in spoilt["signatures"]:
            did, _, fragment = signature["key"].partition("#")
            held = named.get(fragment) or first.get(author) or rng.choice(_KEYS)
            if fragment == "ledger-1":
                held = first.get(did or author, held)
            signature["value"] = base64url_encode(held.sign(message))


def _first_keys() -> dict[str, Pair]:
    """The first ledger key of each DID in the story."""
    if not _FIRST:
        for data in story():
            transaction = parse_transaction(data)
            for name in ("issuer", "authority", "bar"):
                details = getattr(transaction.payload.action, "details", None)
                if (
                    not transaction.payload.author
                    and details
                    and details.verification_methods[0].key == pair(name).key
                ):
                    _FIRST[transaction.author] = pair(name)
    return _FIRST


_FIRST: dict[str, Pair] = {}


def main() -> None:
    """Run as many inputs as the command line says, and print what was answered."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**31)
    print(f"seed {seed}, {count} inputs")
    for answer, often in Spoiler(seed).run(count).most_common():
        print(f"{often:9} {answer}")


if __name__ == "__main__":
    main()
