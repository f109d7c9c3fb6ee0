"""Odd but legal: documents and signatures as the specifications allow them and few write them.

Whoever refuses everything passes every negative test; these are what must still be accepted.
"""

import copy
import json
import random
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import cbor2

from identity.core import sd_jwt
from identity.core.data_integrity import add_proof
from identity.core.signing import NamedSigner
from registry.core.encoding import base64url_encode
from registry.core.keys import KeyType
from tests.adversary.judging import NOW, SECONDS
from tests.adversary.kinds import (
    EXAMPLES,
    V2,
    Cose,
    Embedded,
    Jws,
    Kind,
    SdJwt,
    Tree,
    credential,
    write,
)
from tests.identity.core.contexts import bundled

_TEXTS = [
    *("", " ", "\t", "\n", "é", "e\u0301", "名字", "\U0001f600", "\u202e", "\\", '"', "/", "<b>"),
    *("a" * 5000, "null", "0", "_sd", "...", "@id", "https://e.example/?q=1#f", "\u0000", "\ufeff"),
]
_NUMBERS: list[Any] = [0, -0.0, 1, -1, 0.1, 1e-7, 1.5, 2**53 - 1, -(2**53 - 1), 100.0, 4.50]
_DATES = [
    *("2024-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2024-01-01T00:00:00.000Z"),
    *("2024-01-01T00:00:00.123456789Z", "2024-01-01T14:00:00+14:00", "2023-12-31T12:00:00-12:00"),
    *("1969-12-31T23:59:59Z", "2024-01-01T01:30:00+01:30"),
]
_URLS = ["urn:a:b", "did:example:x#y", "https://e.example/a%20b?c=d#e", "tag:e.example,2024:x"]


def _text(rng: random.Random) -> str:
    return rng.choice(_TEXTS)


def _extra(document: Tree, rng: random.Random) -> None:
    document[f"claim{rng.randrange(99)}"] = rng.choice([_text(rng), True, rng.choice(_NUMBERS)])


def _nested(document: Tree, rng: random.Random) -> None:
    inner: Any = _text(rng)
    for level in range(rng.randrange(1, 20)):
        inner = {f"level{level}": inner}
    document["credentialSubject"]["nested"] = inner


def _list(document: Tree, rng: random.Random) -> None:
    document["credentialSubject"]["list"] = [_text(rng) for _ in range(rng.randrange(0, 30))]


def _subjects(document: Tree, rng: random.Random) -> None:
    one = document["credentialSubject"]
    many = [one, {"id": rng.choice(_URLS), "name": _text(rng)}]
    document["credentialSubject"] = many[: rng.randrange(1, 3)]


def _issuer(document: Tree, rng: random.Random) -> None:
    name = document["issuer"]["id"]
    texts: list[Any] = [_text(rng), {"@value": "Universität", "@language": "de"}]
    texts.append([texts[1], {"@value": "جامعة", "@language": "ar", "@direction": "rtl"}])
    document["issuer"] = rng.choice([name, {"id": name}, {"id": name, "name": rng.choice(texts)}])


def _no_id(document: Tree, _rng: random.Random) -> None:
    document.pop("id", None)


def _id(document: Tree, rng: random.Random) -> None:
    document["id"] = rng.choice(_URLS)


def _dates(document: Tree, rng: random.Random) -> None:
    document["validFrom"] = rng.choice(_DATES)
    if rng.random() < 0.5:
        document.pop("validUntil", None)


def _undated(document: Tree, _rng: random.Random) -> None:
    document.pop("validFrom", None)


def _types(document: Tree, rng: random.Random) -> None:
    document["type"] = ["VerifiableCredential", *(f"T{n}" for n in range(rng.randrange(0, 9)))]
    if rng.random() < 0.3:
        document["type"].reverse()
    if rng.random() < 0.2:
        document["type"] = "VerifiableCredential"


def _language(document: Tree, rng: random.Random) -> None:
    value = {"@value": _text(rng), "@language": rng.choice(["en", "zh-Hans", "de-CH-1996"])}
    document["name"] = rng.choice([value, [value, "plain"], _text(rng)])
    document["description"] = {"@value": "x", "@direction": "ltr"}


def _typed(document: Tree, rng: random.Random) -> None:
    name = rng.choice(["termsOfUse", "evidence", "refreshService", "credentialSchema"])
    entry = {"id": f"https://e.example/{name}", "type": "ExampleKind2026"}
    document[name] = rng.choice([entry, [entry], [entry, {**entry, "id": "urn:x:y"}]])


def _status(document: Tree, rng: random.Random) -> None:
    document["credentialStatus"] = {"id": "https://e.example/s#1", "type": "ExampleStatus2026"}


def _context(document: Tree, rng: random.Random) -> None:
    more = [
        {"extraTerm": "https://e.example/vocab#extraTerm"},
        "https://w3id.org/security/multikey/v1",
        {"@language": "en"},
        {},
    ]
    document["@context"] = [*document["@context"], rng.choice(more)]


def _related(document: Tree, rng: random.Random) -> None:
    digest = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    document["relatedResource"] = [{"id": rng.choice(_URLS), "digestSRI": digest}]


def _shuffled(document: Tree, rng: random.Random) -> None:
    pairs = sorted(document.items(), key=lambda _: rng.random())
    document.clear()
    document.update(pairs)


_DOCUMENT: list[Callable[[Tree, random.Random], None]] = [
    *(_extra, _nested, _list, _subjects, _issuer, _no_id, _id, _dates, _undated, _types),
    *(_language, _typed, _status, _context, _related, _shuffled),
]


def odd_document(kind: Kind, rng: random.Random) -> Tree:
    """A credential with up to five oddities."""
    document = copy.deepcopy(credential(kind.right, kind.holder, rng.randrange(50)))
    for change in rng.sample(_DOCUMENT, rng.randrange(1, 6)):
        if change is _nested or change is _list:
            if isinstance(document["credentialSubject"], dict):
                change(document, rng)
        elif change is not _issuer or isinstance(document["issuer"], dict):
            change(document, rng)
    return document


def odd_json(value: Any, rng: random.Random) -> bytes:
    """The same JSON, written as few would."""
    style = rng.randrange(4)
    if style == 0:
        return json.dumps(value, indent=rng.choice([1, 7]), ensure_ascii=True).encode()
    if style == 1:
        return b" \n\t" + write(value).encode() + b"\r\n "
    if style == 2:
        escaped = "".join(f"\\u{ord(c):04x}" for c in "type")
        return write(value).replace('"type"', f'"{escaped}"').encode()
    return json.dumps(value, separators=(" ,  ", " : "), ensure_ascii=False).encode()


def odd_jws(kind: Jws, rng: random.Random) -> Any:
    """Headers that nobody reads, claims that say what the document says, odd JSON."""
    document = odd_document(kind, rng)
    issuer = document["issuer"]
    claims = {
        "iss": issuer if isinstance(issuer, str) else issuer["id"],
        "iat": rng.choice([SECONDS - 5, SECONDS - 0.5, 0, "2026-11-20T11:00:00Z"]),
        "exp": rng.choice([SECONDS + 90, 2**40, SECONDS + 0.5 + 60]),
        "nbf": rng.choice([0, SECONDS - 1]),
    }
    if "id" in document:
        claims["jti"] = document["id"]
    chosen = {name: claims[name] for name in claims if rng.random() < 0.4}
    header = {
        "alg": rng.choice(_spellings(kind)),
        "typ": rng.choice([kind.typ, f"application/{kind.typ}"]),
        "kid": kind.right.verification_method,
    }
    others: dict[str, Any] = {
        "cty": rng.choice(["vc", "application/vc"]),
        "jwk": kind.right.key.jwk,
        "x5t": "AAAA",
        "https://e.example/header": {"a": [1, 2]},
        "jku": "https://e.example/keys",
    }
    header.update({name: others[name] for name in others if rng.random() < 0.3})
    text = ".".join(
        base64url_encode(odd_json(part, rng)) for part in (header, {**document, **chosen})
    )
    return kind.envelope(f"{text}.{base64url_encode(kind.right.sign(text.encode()))}")


def _spellings(kind: Kind) -> list[str]:
    return (
        ["EdDSA", "Ed25519"]
        if kind.right.key.type is KeyType.ED25519
        else [kind.right.key.algorithm]
    )


def odd_sd_jwt(kind: SdJwt, rng: random.Random) -> Any:
    """Decoys, odd hashes, recursive disclosures in any order, some of them kept back."""
    document = odd_document(kind, rng)
    subject = document["credentialSubject"]
    paths: list[Any] = [("type",)] if rng.random() < 0.1 else []
    if isinstance(subject, dict):
        paths += [("credentialSubject", name) for name in subject if rng.random() < 0.7]
        if ("credentialSubject", "degree") in paths:
            paths.append(("credentialSubject", "degree", "name"))
        if ("credentialSubject", "alumniOf") not in paths:
            paths.append(("credentialSubject", "alumniOf", None))
    payload, disclosures = sd_jwt.make_disclosures(
        document, random=rng.randbytes, paths=paths, decoys=rng.randrange(0, 4)
    )
    text = sd_jwt.issue_sd_jwt(
        payload=payload,
        disclosures=disclosures,
        header={"typ": "vc+sd-jwt", "kid": kind.right.verification_method},
        signer=kind.right,
    )
    if isinstance(subject, dict) and ("type",) not in paths:
        # `id` or one member has to stay: a subject of which nothing is shown is an empty object.
        kept = [path for path in paths if rng.random() < 0.6 and len(path) == 2]
        always = [("credentialSubject", "id")] if ("credentialSubject", "id") in paths else []
        text = sd_jwt.present(text, [*kept, *always])
    jwt, *shown = text.split("~")
    shown = shown[:-1]
    rng.shuffle(shown)
    return kind.envelope("~".join((jwt, *shown, "")))


def odd_cose(kind: Cose, rng: random.Random) -> Any:
    """Labels in any order, long forms of numbers, other headers, with and without the tag."""
    document = odd_document(kind, rng)
    algorithm = {KeyType.P256: [-7, -9], KeyType.ED25519: [-8, -19]}[kind.right.key.type]
    types = {3: "application/vc", 16: "application/vc+cose"}
    if rng.random() < 0.5:
        types.pop(rng.choice([3, 16]))
    kid = kind.right.verification_method.encode()
    outside = rng.random() < 0.3
    others: dict[Any, Any] = {
        33: [b"certificate", b"another"],
        "text": {"a": b"x"},
        -65537: 1.5,
        15: {4: SECONDS + 100, 6: SECONDS - 1, 7: b"\x01"},
        5: b"iv",
    }
    header: dict[Any, Any] = {1: rng.choice(algorithm), **types}
    if not outside:
        header[4] = kid
    header.update({label: others[label] for label in others if rng.random() < 0.3})
    pairs = sorted(header.items(), key=lambda _: rng.random())
    head = bytes([0xA0 + len(pairs)]) if rng.random() < 0.5 else bytes([0xB9, 0, len(pairs)])
    protected = head + b"".join(cbor2.dumps(key) + cbor2.dumps(value) for key, value in pairs)
    payload = odd_json(document, rng)
    signature = kind.right.sign(cbor2.dumps(["Signature1", protected, b"", payload]))
    unprotected = {4: kid} if outside else rng.choice([{}, {34: [1, b"x"]}, {"note": "x"}])
    message: Any = [protected, unprotected, payload, signature]
    if rng.random() < 0.5:
        message = cbor2.CBORTag(18, message)
    text = b64encode(cbor2.dumps(message)).decode()
    return {
        "@context": rng.choice([V2, [V2], [V2, EXAMPLES]]),
        "type": rng.choice(["EnvelopedVerifiableCredential", ["EnvelopedVerifiableCredential"]]),
        "id": "data:application/vc+cose;base64,"
        + (text if rng.random() < 0.5 else text.rstrip("=")),
    }


def odd_embedded(kind: Embedded, rng: random.Random) -> Any:
    """Options of proofs that few use, sets and chains, odd JSON."""
    document = odd_document(kind, rng)
    options: dict[str, Any] = {
        "id": f"urn:uuid:{rng.randrange(10**9)}",
        "expires": rng.choice(["2099-01-01T00:00:00Z", "2099-01-01T00:00:00+02:00"]),
        "nonce": "n",
        "domain": "https://e.example",
        "challenge": "c",
    }
    chosen = {name: options[name] for name in options if rng.random() < 0.25}
    signed = _proof(document, kind, chosen)
    style = rng.random()
    if style < 0.15:
        signed["proof"] = [signed["proof"]]
    elif style < 0.3:  # a set
        signed = _proof(signed, kind, {"id": "urn:uuid:second"})
    elif style < 0.4 and "id" in chosen:  # a chain
        signed = _proof(signed, kind, {"previousProof": chosen["id"]})
    return odd_json(signed, rng)


def _proof(document: Tree, kind: Embedded, options: dict[str, Any]) -> Tree:
    return add_proof(
        document,
        signer=NamedSigner(kind.right, kind.right.verification_method),
        cryptosuite=kind.cryptosuite,
        created=NOW,
        purpose="assertionMethod",
        contexts=bundled(),
        options=options or None,
    )
