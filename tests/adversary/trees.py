"""Structured changes to a JSON tree: what an attacker does who knows the format.

Every change is made from a random generator that the caller seeds, so it can be made again.
"""

import json
import random
from collections.abc import Callable
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

_OTHER_TYPES: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.5, 2**53 - 1, "", "x", "0", [], {}, [[]], [None], {"": ""}),
    *(["x"], {"id": "urn:a:b"}, {"@value": "x"}, "did:key:z6Mk", "https://e.example/", "\u202e"),
]
_NAMES = [
    *("extra", "id", "type", "@context", "@id", "@type", "issuer", "holder", "proof", "vc", "vp"),
    *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "nonce", "_sd", "...", "_sd_alg"),
    *("crit", "b64", "jwk", "x5c", "jku", "kid", "alg", "typ", "cty", "credentialStatus"),
    *("credentialSubject", "validUntil", "validFrom", "termsOfUse", "domain", "challenge"),
    *("previousProof", "expires", "undefinedTerm", "", "constructor", "__proto__"),
]


class Twice(dict[Any, Any]):
    """An object that is written with some of its members a second time."""

    def __init__(self, members: dict[Any, Any], again: list[tuple[Any, Any]]) -> None:
        super().__init__(members)
        self.again = again


_LEAVES = frozenset({str, int, bool, float, bytes, type(None)})


def fresh(value: Any) -> Any:
    """A copy that shares nothing with the tree, nor one part of itself with another."""
    kind = type(value)
    if kind in _LEAVES:
        return value
    if kind is dict:
        return {key: fresh(item) for key, item in value.items()}
    if kind is list:
        return [fresh(item) for item in value]
    if kind is Twice:
        members = {key: fresh(item) for key, item in value.items()}
        return Twice(members, [(key, fresh(item)) for key, item in value.again])
    raise TypeError(f"no part of a tree: {kind}")


def write(value: Any) -> str:
    """JSON in the order of the tree, repeated members and all."""
    if isinstance(value, str):  # first, and without an encoder of its own: nearly all are texts
        return encode_basestring(value)
    if isinstance(value, dict):
        pairs = [*value.items(), *getattr(value, "again", ())]
        written = [f"{encode_basestring_ascii(str(k))}:{write(v)}" for k, v in pairs]
        return "{" + ",".join(written) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join([write(item) for item in value]) + "]"
    if isinstance(value, bytes):
        return f'"{value.hex()}"'
    return json.dumps(value)


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below `tree`, breadth first."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    for value in waiting:
        if isinstance(value, dict):
            keys: list[Any] = list(value)
        elif isinstance(value, list):
            keys = list(range(len(value)))
        else:
            continue
        for key in keys:
            found.append((value, key))
            waiting.append(value[key])
    return found


def mutate(tree: Any, donors: list[Any], rng: random.Random) -> tuple[str, Any]:
    """A changed copy, and what was done to it: one of `OPERATIONS`, sometimes two."""
    changed, done = fresh(tree), []
    for _ in range(2 if rng.random() < 0.1 else 1):
        name = rng.choice(NAMES)
        found = places(changed)
        if not found:
            break
        container, key = found[rng.randrange(len(found))]
        again = OPERATIONS[name](container, key, found, donors, rng)
        if again is not None:  # the container itself is written with a member twice
            changed = _replaced(changed, container, again)
        done.append(name)
    return "+".join(done), changed


def _replaced(tree: Any, old: Any, new: Any) -> Any:
    if tree is old:
        return new
    if isinstance(tree, dict):
        for key in tree:
            tree[key] = _replaced(tree[key], old, new)
    elif isinstance(tree, list):
        for index, item in enumerate(tree):
            tree[index] = _replaced(item, old, new)
    return tree


def _remove(container: Any, key: Any, *_: Any) -> None:
    del container[key]


def _null(container: Any, key: Any, *_: Any) -> None:
    container[key] = None


def _retype(container: Any, key: Any, _f: Any, _d: Any, rng: random.Random) -> None:
    value = container[key]
    wrapped: list[Any] = [[value], {"id": value}, {"@value": value}, str(value), [value, value]]
    container[key] = fresh(rng.choice(_OTHER_TYPES + wrapped))


def _edit(container: Any, key: Any, _f: Any, _d: Any, rng: random.Random) -> None:
    value = container[key]
    if isinstance(value, bool) or value is None:
        container[key] = not value
    elif isinstance(value, str):
        at = rng.randrange(len(value) + 1)
        piece = rng.choice(["", "A", "=", "#", " ", "\n", "é", "~", ".", "%20", value, "\u0000"])
        container[key] = value[:at] + piece + value[at + rng.choice((0, 1, 1)) :]
    elif isinstance(value, int | float):
        container[key] = value + rng.choice((-1, 1, 2**31, 0.5))
    elif isinstance(value, bytes):
        flipped = bytearray(value or b"\0")
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        container[key] = bytes(flipped)
    elif isinstance(value, list):
        rng.shuffle(value)
    else:
        container[key] = dict(sorted(value.items(), key=lambda _: rng.random()))


def _duplicate(container: Any, key: Any, _f: Any, _d: Any, rng: random.Random) -> Any:
    value = fresh(container[key])
    if isinstance(container, list):
        container.insert(rng.randrange(len(container) + 1), value)
        return None
    other = rng.choice([value, None, "x", {}])
    return Twice(container, [(key, other)])


def _move(container: Any, key: Any, found: Any, _d: Any, rng: random.Random) -> None:
    value = fresh(container[key])
    target, name = found[rng.randrange(len(found))]
    del container[key]
    if isinstance(target, dict):
        target[key if isinstance(key, str) and rng.random() < 0.7 else name] = value
    else:
        target.append(value)


def _swap(container: Any, key: Any, found: Any, _d: Any, rng: random.Random) -> None:
    target, name = found[rng.randrange(len(found))]
    mine = fresh(container[key])
    try:
        container[key] = fresh(target[name])
        target[name] = mine
    except (KeyError, IndexError):
        container[key] = mine


def _splice(container: Any, key: Any, _f: Any, donors: list[Any], rng: random.Random) -> None:
    theirs = places(donors[rng.randrange(len(donors))])
    same = [(c, k) for c, k in theirs if k == key and type(c) is type(container)]
    source, name = rng.choice(same if same and rng.random() < 0.8 else theirs)
    container[key] = fresh(source[name])


def _add(container: Any, _key: Any, _f: Any, donors: list[Any], rng: random.Random) -> None:
    value = fresh(rng.choice(_OTHER_TYPES))
    if isinstance(container, list):
        container.append(value)
        return
    name = rng.choice(_NAMES)
    if rng.random() < 0.3:
        source, theirs = rng.choice(places(donors[rng.randrange(len(donors))]))
        name, value = (theirs if isinstance(theirs, str) else name), fresh(source[theirs])
    container[name] = value


OPERATIONS: dict[str, Callable[..., Any]] = {
    "remove": _remove,
    "null": _null,
    "retype": _retype,
    "edit": _edit,
    "duplicate": _duplicate,
    "move": _move,
    "swap": _swap,
    "splice": _splice,
    "add": _add,
}
NAMES = sorted(OPERATIONS)
