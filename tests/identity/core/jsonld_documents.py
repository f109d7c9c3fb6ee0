"""Documents that try to make a template say something else than the reference.

Everything follows from the numbers that are drawn, so a failing document can be made again.
"""

import random
from collections.abc import Callable
from typing import Any

V2 = "https://www.w3.org/ns/credentials/v2"
V1 = "https://www.w3.org/2018/credentials/v1"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
DATA_INTEGRITY = "https://w3id.org/security/data-integrity/v2"
VOCAB = "https://vocab.example/#"

# Terms under every kind of definition that changes how a text is read.
INLINE: dict[str, Any] = {
    "lit": VOCAB + "lit",
    "ref": {"@id": VOCAB + "ref", "@type": "@id"},
    "word": {"@id": VOCAB + "word", "@type": "@vocab"},
    "json": {"@id": VOCAB + "json", "@type": "@json"},
    "when": {"@id": VOCAB + "when", "@type": "http://www.w3.org/2001/XMLSchema#dateTime"},
    "float": {"@id": VOCAB + "float", "@type": "http://www.w3.org/2001/XMLSchema#double"},
    "list": {"@id": VOCAB + "list", "@container": "@list"},
    "refs": {"@id": VOCAB + "refs", "@container": "@list", "@type": "@id"},
    "set": {"@id": VOCAB + "set", "@container": "@set"},
    "tongues": {"@id": VOCAB + "tongues", "@container": "@language"},
    "german": {"@id": VOCAB + "german", "@language": "de"},
    "arabic": {"@id": VOCAB + "arabic", "@language": "ar", "@direction": "rtl"},
    "back": {"@reverse": VOCAB + "back"},
    "graph": {"@id": VOCAB + "graph", "@container": "@graph"},
    "byId": {"@id": VOCAB + "byId", "@container": "@id"},
    "byType": {"@id": VOCAB + "byType", "@container": "@type"},
    "nested": "@nest",
    "lang": "@language",
    "kind": "@type",
    "name_of": "@id",
    "val": "@value",
    "Thing": VOCAB + "Thing",
    "Scoped": {
        "@id": VOCAB + "Scoped",
        "@context": {"lit": {"@id": VOCAB + "other", "@type": "@id"}, "did": VOCAB + "did/"},
    },
    "inner": {
        "@id": VOCAB + "inner",
        "@context": {"lit": VOCAB + "innerLit", "ref": VOCAB + "asText"},
    },
    "https://vocab.example/#full": {
        "@id": VOCAB + "full",
        "@context": {"lit": VOCAB + "ofFull"},
    },
    "ex": "https://ex.example/",
    "ex:compact": {"@id": "https://ex.example/compact", "@context": {"lit": VOCAB + "ofCompact"}},
    "urn": "https://urn-is-a-prefix.example/",
}
CONTEXTS: tuple[Any, ...] = (
    [V2, {key: value for key, value in INLINE.items() if key != "urn"}],
    [V2, INLINE],
    [V2, EXAMPLES, {key: value for key, value in INLINE.items() if key not in ("urn", "did")}],
    [V2, {**INLINE, "@vocab": VOCAB}],
    [V2, {**INLINE, "@base": "https://base.example/dir/"}],
    [V1, DATA_INTEGRITY, INLINE],
    [V2, {**INLINE, "@language": "fr"}],
    [V2, {**INLINE, "did": "https://did-is-a-prefix.example/"}],
)
TEXTS = (
    "a",
    "b",
    "Bachelor of Science",
    "学士",
    'quote " backslash \\ tab \t line \n',
    "\x00\x01\x1f\x7f\x80",
    "\u2028\ufeff😀",
    "e\u0301",
    "https://one.example/a",
    "https://two.example/b?c=d#e",
    "https://vocab.example/#full",
    "https://vocab.example/#Thing",
    "https://vocab.example/#lit",
    "https://with space.example/",
    "https://brackets.example/<>",
    "did:example:alice",
    "did:key:z6Mk",
    "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "urn:a:b",
    "ex:compact",
    "ex:other",
    "ex:",
    "mailto:a@b.example",
    "_:b0",
    "_:blank",
    "@id",
    "@unknown",
    "Thing",
    "Scoped",
    "assertionMethod",
    "lit",
    "relative/path",
    "2024-01-01T00:00:00Z",
    "1.0",
    "true",
    "en",
    "en-US",
    "cairn-slot-0-end",
    "https://cairn-slot-1-end",
    "",
    "a:b",
    "1a:b",
    "é:x",
    "//host/path",
    "?query",
    "#fragment",
)
NUMBERS = (0, 1, -1, 5.0, 5, 2.5, 1e21, 1e-7, 2**53, 2**53 - 1, -0.0, True, False, None)


def text(draw: random.Random) -> str:
    if draw.random() < 0.5:
        return draw.choice(TEXTS)
    scheme = draw.choice(("https://", "did:", "urn:", "ex:", "", "", ""))
    return f"{scheme}{draw.choice('xyz')}{draw.randrange(4)}"


def iri(draw: random.Random) -> str:
    """A text where an IRI is wanted: mostly one."""
    if draw.random() < 0.04:
        return text(draw)
    scheme = draw.choice(("https://", "did:", "urn:", "ex:", "https://vocab.example/#"))
    return f"{scheme}{draw.choice(('x', 'y', 'full', 'compact'))}{draw.choice(('', '1', '2'))}"


def leaf(draw: random.Random) -> Any:
    return draw.choice(NUMBERS) if draw.random() < 0.05 else text(draw)


def _value_object(draw: random.Random, _depth: int) -> Any:
    made: dict[str, Any] = {draw.choice(("@value", "val")): leaf(draw)}
    extra = draw.random()
    if extra < 0.4:
        made[draw.choice(("@language", "lang"))] = draw.choice(("en", "EN-us", "x y", text(draw)))
    elif extra < 0.6:
        made[draw.choice(("@type", "kind"))] = draw.choice(("Thing", "ex:t", text(draw)))
    if draw.random() < 0.2:
        made["@direction"] = draw.choice(("ltr", "rtl", "up"))
    return made


def _node(draw: random.Random, depth: int) -> Any:
    made: dict[str, Any] = {}
    if draw.random() < 0.4:
        made[draw.choice(("id", "@id", "name_of"))] = iri(draw)
    if draw.random() < 0.4:
        kinds = [
            draw.choice(("Thing", "Scoped", "ex:T", text(draw)))
            for _ in range(draw.choice((1, 1, 2)))
        ]
        made[draw.choice(("type", "@type", "kind"))] = kinds if len(kinds) > 1 else kinds[0]
    for _ in range(draw.randrange(1, 4)):
        name = draw.choice(tuple(ODD) if draw.random() < 0.04 else tuple(MEMBERS))
        made[name] = (MEMBERS | ODD)[name](draw, depth)
    return made


def _several(draw: random.Random, depth: int) -> Any:
    return [_any(draw, depth) for _ in range(draw.randrange(1, 4))]


def _any(draw: random.Random, depth: int) -> Any:
    if depth <= 0 or draw.random() < 0.55:
        return leaf(draw)
    return draw.choice((_value_object, _node, _node, _several))(draw, depth - 1)


def _json(draw: random.Random, depth: int) -> Any:
    if depth <= 0 or draw.random() < 0.4:
        return leaf(draw)
    return draw.choice(
        (lambda: {text(draw): _json(draw, depth - 1)}, lambda: [_json(draw, depth - 1), leaf(draw)])
    )()


def _scoped_node(draw: random.Random, depth: int) -> Any:
    made = _node(draw, depth - 1)
    made["@context"] = draw.choice(
        (
            {"lit": VOCAB + "again"},
            {"lit": None},
            {"ref": VOCAB + "text"},
            {"@vocab": VOCAB},
            {"ex": "urn:x:"},
        )
    )
    return made


MEMBERS: dict[str, Callable[[random.Random, int], Any]] = {
    "lit": _any,
    "ref": lambda draw, depth: iri(draw),
    "word": lambda draw, depth: draw.choice(("Thing", "Scoped", "lit", iri(draw))),
    "json": lambda draw, depth: _json(draw, 2),
    "when": lambda draw, depth: leaf(draw),
    "float": lambda draw, depth: draw.choice((1.5, 2, "1.5", "x", leaf(draw))),
    "list": lambda draw, depth: [_any(draw, depth - 1) for _ in range(draw.randrange(0, 4))],
    "refs": lambda draw, depth: [iri(draw) for _ in range(draw.randrange(0, 4))],
    "set": _several,
    "tongues": lambda draw, depth: {
        draw.choice(("en", "de", "zh-Hans", "@none", "x y")): draw.choice(
            (text(draw), [text(draw), text(draw)])
        )
        for _ in range(draw.randrange(1, 3))
    },
    "german": lambda draw, depth: leaf(draw),
    "arabic": lambda draw, depth: leaf(draw),
    "back": lambda draw, depth: (
        _node(draw, depth - 1) if depth > 0 else {"id": text(draw), "lit": "x"}
    ),
    "graph": lambda draw, depth: _node(draw, depth - 1) if depth > 0 else leaf(draw),
    "byId": lambda draw, depth: {iri(draw): {"lit": text(draw)}},
    "byType": lambda draw, depth: {
        draw.choice(("Thing", "Scoped", iri(draw))): {"lit": text(draw)}
    },
    "nested": lambda draw, depth: {"lit": text(draw)},
    "inner": lambda draw, depth: {"lit": text(draw), "ref": text(draw)},
    "ex:prop": _any,
    "https://other.example/p": _any,
    "@included": lambda draw, depth: _node(draw, depth - 1) if depth > 0 else [],
    "@graph": lambda draw, depth: [_node(draw, depth - 1)] if depth > 0 else [],
}
# Mostly illegal, or legal under a vocabulary alone.
ODD: dict[str, Callable[[random.Random, int], Any]] = {
    "@index": lambda draw, depth: text(draw),
    "anything": _scoped_node,
    "lit ": lambda draw, depth: leaf(draw),
    "scoped": lambda draw, depth: _any(draw, depth),
    "ref": lambda draw, depth: _any(draw, depth),
    "back": lambda draw, depth: leaf(draw),
}


def document(draw: random.Random) -> Any:
    """A document of some shape."""
    subject = _node(draw, 2)
    made = {
        "@context": draw.choice(CONTEXTS),
        "id": draw.choice(("urn:uuid:1", "https://id.example/1", "did:a:b", iri(draw))),
        "type": draw.choice(("VerifiableCredential", ["VerifiableCredential", "Thing"])),
        "issuer": draw.choice(
            ("did:example:issuer", {"id": "did:example:issuer", "name": text(draw)})
        ),
        "credentialSubject": draw.choice((subject, subject, [subject, _node(draw, 1)])),
    }
    if draw.random() < 0.3:
        made["name"] = _value_object(draw, 0)
    return made


def twin(value: Any, draw: random.Random, name: str = "") -> Any:
    """The same shape as `value`, as a rule, with other texts."""
    if isinstance(value, str):
        if name in ("type", "@type", "@language", "@direction") or draw.random() < 0.5:
            return value
        for prefix in ("https://", "did:", "urn:", "ex:"):
            if value.startswith(prefix):
                same = [entry for entry in TEXTS if entry.startswith(prefix)]
                return draw.choice([*same, f"{prefix}new{draw.randrange(9)}"])
        return text(draw)
    if isinstance(value, dict):
        members = list(value.items())
        draw.shuffle(members)  # the order of members means nothing
        return {
            key: member if key == "@context" else twin(member, draw, key) for key, member in members
        }
    if isinstance(value, list):
        return [twin(item, draw, name) for item in value]
    return value
