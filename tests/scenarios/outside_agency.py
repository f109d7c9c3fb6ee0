"""Software of somebody else: it takes part by docs/transactions.md and docs/proofs.md alone.

It imports nothing of ours (a test looks), so whatever works here works in any language.
"""

import base64
import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Json = dict[str, Any]
EMPTY = bytes(32)
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


# -- docs/transactions.md, "Words" ----------------------------------------------------------------


def canonical(value: object) -> bytes:
    """RFC 8785 for what is used here: ASCII member names, strings, integers, no fractions."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def padded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def labelled(label: str, *parts: bytes) -> bytes:
    return sha256(b"".join(len(p).to_bytes(8, "big") + p for p in (label.encode(), *parts)))


def base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = ALPHABET[rest] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


@dataclass
class Ed25519Key:
    private: ed25519.Ed25519PrivateKey = field(default_factory=ed25519.Ed25519PrivateKey.generate)

    @property
    def multikey(self) -> str:
        return "z" + base58(b"\xed\x01" + self.private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


@dataclass
class P256Key:
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def multikey(self) -> str:
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return "z" + base58(b"\x80\x24" + point)

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


# -- docs/proofs.md -------------------------------------------------------------------------------


class NotProven(AssertionError):
    """An answer of the registry proves nothing."""


def require(fact: bool, what: str) -> None:
    if not fact:
        raise NotProven(what)


def bit(data: bytes, number: int) -> int:
    return data[number // 8] >> (7 - number % 8) & 1


def check_map(proof: Json, *, key: str, record: object, root: bytes) -> None:
    """§2.2, step by step."""
    require(proof["key"] == key, "another key")
    path = [padded(item) for item in proof["path"]]
    require(len(path) == proof["bits"] <= 256, "bits")
    key_hash = labelled("cairn/map-key/v1", key.encode())
    if record is not None:
        require("other" not in proof, "presence with another leaf")
        here = labelled("cairn/map-leaf/v1", key_hash, sha256(canonical(record)))
    elif "other" in proof:
        other = padded(proof["other"]["keyhash"])
        require(other != key_hash, "the other leaf is that of the key")
        shared = all(bit(other, n) == bit(key_hash, n) for n in range(len(path)))
        require(shared, "the other leaf is not at that place")
        here = labelled("cairn/map-leaf/v1", other, padded(proof["other"]["valuehash"]))
    else:
        here = EMPTY
    require(not path or path[0] != EMPTY, "a leaf beside nothing")
    for depth, sibling in zip(range(len(path) - 1, -1, -1), path, strict=True):
        pair = (sibling, here) if bit(key_hash, depth) else (here, sibling)
        here = labelled("cairn/map-node/v1", *pair)
    require(here == root, "the proof leads to another root")


def leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data)


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def tree(leaves: list[bytes]) -> bytes:
    """RFC 9162 §2.1.1."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(tree(leaves[:split]), tree(leaves[split:]))


def audit_path(leaves: list[bytes], index: int) -> list[bytes]:
    """RFC 9162 §2.1.3.1."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*audit_path(leaves[:split], index), tree(leaves[split:])]
    return [*audit_path(leaves[split:], index - split), tree(leaves[:split])]


def check_inclusion(here: bytes, *, index: int, size: int, path: list[bytes], root: bytes) -> None:
    """RFC 9162 §2.1.3.2."""
    require(0 <= index < size, "index")
    fn, sn = index, size - 1
    for item in path:
        require(sn > 0, "path too long")
        if fn % 2 or fn == sn:
            here = node(item, here)
            while not fn % 2 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            here = node(here, item)
        fn, sn = fn >> 1, sn >> 1
    require(sn == 0 and here == root, "not included")


def check_consistency(
    *, first: int, first_root: bytes, second: int, second_root: bytes, path: list[bytes]
) -> None:
    """RFC 9162 §2.1.4.2."""
    require(0 < first <= second, "sizes")
    if first == second:
        require(not path and first_root == second_root, "another log of the same size")
        return
    path = [first_root, *path] if first & (first - 1) == 0 else path
    require(bool(path), "empty path")
    fn, sn = first - 1, second - 1
    while fn % 2:
        fn, sn = fn >> 1, sn >> 1
    one = two = path[0]
    for item in path[1:]:
        require(sn > 0, "path too long")
        if fn % 2 or fn == sn:
            one, two = node(item, one), node(item, two)
            while not fn % 2 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            two = node(two, item)
        fn, sn = fn >> 1, sn >> 1
    require(sn == 0 and one == first_root and two == second_root, "not consistent")


@dataclass
class Head:
    size: int
    log: bytes
    height: int
    time: int
    state: bytes


HEAD = re.compile(
    r"cairn/([a-z0-9-]{1,32})\n([1-9][0-9]*)\n([A-Za-z0-9+/=]{44})\n"
    r"height (0|[1-9][0-9]*)\ntime (0|[1-9][0-9]*)\nstate ([A-Za-z0-9+/=]{44})\n"
)


def check_head(note: str, trust: Json) -> Head:
    """§4, with the pinned trust anchor of §5."""
    text, _, lines = note.rpartition("\n\n")
    found = HEAD.fullmatch(text + "\n")
    require(found is not None and found[1] == trust["network"], "no head of this network")
    assert found is not None
    signed_by: set[bytes] = set()
    for line in lines.splitlines():
        _, name, value = line.split(" ")
        raw = base64.b64decode(value, validate=True)
        for pinned in trust["heads"]["keys"]:
            pinned_name, key_id, public = pinned.split("+", 2)
            key = base64.b64decode(public, validate=True)
            computed = sha256(pinned_name.encode() + b"\n" + key)[:4]
            require(computed.hex() == key_id and key[0] == 1, "a pinned key is not what it says")
            if (pinned_name, computed) == (name, raw[:4]):
                public_key = ed25519.Ed25519PublicKey.from_public_bytes(key[1:])
                public_key.verify(raw[4:], (text + "\n").encode())
                signed_by.add(key)
    require(len(signed_by) >= trust["heads"]["threshold"], "too few signatures")
    return Head(
        size=int(found[2]),
        log=base64.b64decode(found[3]),
        height=int(found[4]),
        time=int(found[5]),
        state=base64.b64decode(found[6]),
    )


# -- the agency -----------------------------------------------------------------------------------


@dataclass
class OutsideAgency:
    """An agency with its own keys and a pinned trust anchor, and an address to speak to."""

    base: str
    trust: Json
    http: httpx2.Client
    ledger_key: Ed25519Key = field(default_factory=Ed25519Key)
    issuing_key: P256Key = field(default_factory=P256Key)
    did: str = ""
    seen: Head | None = None

    def create_did(self) -> httpx2.Response:
        """Both keys are new, so both sign; the DID follows from the payload."""
        payload = self.payload(
            "create-did",
            {
                "verificationMethods": [
                    {
                        "fragment": "ledger-1",
                        "publicKeyMultibase": self.ledger_key.multikey,
                        "purposes": ["capabilityInvocation"],
                    },
                    {
                        "fragment": "jose-1",
                        "publicKeyMultibase": self.issuing_key.multikey,
                        "purposes": ["assertionMethod"],
                    },
                ],
                "alsoKnownAs": ["https://library.example"],
                "services": [],
            },
        )
        digest = labelled("cairn/did/v1", canonical(payload))
        answer = self.post(payload, {"#ledger-1": self.ledger_key, "#jose-1": self.issuing_key})
        self.did = f"did:cairn:{self.trust['network']}:{base58(digest[:20])}"
        return answer

    def do(self, action: str, body: Json) -> httpx2.Response:
        """One action, signed with the ledger key."""
        return self.post(self.payload(action, body), {f"{self.did}#ledger-1": self.ledger_key})

    def payload(self, action: str, body: Json) -> Json:
        return {
            "type": "cairn-transaction/1",
            "network": self.trust["network"],
            "author": self.did,
            "nonce": unpadded(secrets.token_bytes(16)),
            "action": action,
            "body": body,
        }

    def post(self, payload: Json, keys: dict[str, Any]) -> httpx2.Response:
        message = b"cairn-transaction/1\0" + canonical(payload)
        signatures = [
            {"key": name, "value": unpadded(key.sign(message))} for name, key in keys.items()
        ]
        answer = self.http.post(
            f"{self.base}/registry/transactions",
            content=canonical({"payload": payload, "signatures": signatures}),
            headers={"Content-Type": "application/json"},
        )
        if answer.status_code == 201:
            expected = labelled("cairn/tx/v1", canonical(payload)).hex()
            require(answer.json()["transaction"] == expected, "a receipt for something else")
            self.check_entry(answer.json(), payload)
        return answer

    def check_entry(self, receipt: Json, payload: Json) -> None:
        """The transaction stands in the log of the head that the receipt shows."""
        head = self.follow(receipt["head"])
        index, size = receipt["index"], head.size
        answer = self.read("/log/inclusion", index=index, size=size)
        (entry,) = self.read("/log/entries", start=index, count=1)["entries"]
        require(entry["transaction"]["payload"] == payload, "another transaction stands there")
        require(entry["height"] == receipt["height"], "at another height")
        path = [padded(item) for item in answer["path"]]
        check_inclusion(leaf(canonical(entry)), index=index, size=size, path=path, root=head.log)

    def proven(self, key: str, path: str | None = None, **query: str) -> Any:
        """The record under `key` or None, either proven, under a head that extends those before."""
        query = query if path else {"key": key}
        answer = self.read(path or "/records", proof="true", **query)
        head = self.follow(answer["head"])
        check_map(answer["proof"], key=key, record=answer["record"], root=head.state)
        return answer["record"]

    def follow(self, note: str) -> Head:
        """A head that continues the log that was seen before."""
        head, before = check_head(note, self.trust), self.seen
        if before is not None:
            require(head.height >= before.height, "an older head")
            answer = self.read("/log/consistency", first=before.size, second=head.size)
            check_consistency(
                first=before.size,
                first_root=before.log,
                second=head.size,
                second_root=head.log,
                path=[padded(item) for item in answer["path"]],
            )
        self.seen = head
        return head

    def read(self, path: str, **query: object) -> Any:
        answer = self.http.get(f"{self.base}/registry{path}", params=query)  # type: ignore[arg-type]
        require(answer.status_code == 200, f"{path} answers {answer.status_code}")
        return answer.json()
