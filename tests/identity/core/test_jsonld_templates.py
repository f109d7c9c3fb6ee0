"""Templates say what the reference says, or nothing: 20,000 documents made to tell them apart."""

import copy
import json
import random
import threading
from importlib.resources import files
from typing import Any

import pytest

from identity.core import jsonld_templates, rdf_canon
from identity.core.jsonld import (
    ContextStore,
    canonicalise,
    check_lossless,
    expand,
    expanded_quads,
    to_quads,
)
from identity.core.jsonld_templates import (
    MAX_ATTEMPTS,
    MAX_SHAPE_CHARS,
    MAX_SHAPES,
    MAX_TEXTS,
    MAX_VARIANTS,
    SIGHTINGS,
    TemplateCache,
    names_with_colon,
    shape_of,
)
from registry.core.refusals import Malformed
from tests.identity.core.jsonld_documents import INLINE, V2, VOCAB, document, twin
from tests.lengths import length

EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"


def store() -> ContextStore:
    folder = files("schemas") / "contexts"
    index = json.loads((folder / "index.json").read_text("utf-8"))
    return ContextStore(
        {url: json.loads((folder / name).read_text("utf-8")) for url, name in index.items()}
    )


def told(value: Any, read: Any, contexts: ContextStore) -> Any:
    """Canonical lines, or that it was refused."""
    try:
        return rdf_canon.canonicalise(read(value, contexts)).lines
    except Malformed:
        return "refused"


def compare(seed: int, count: int) -> tuple[int, int, int]:
    """Documents compared, answered by a template, and legal.

    Where no template answers, `to_quads` is the reference itself.
    """
    contexts, draw = store(), random.Random(seed)
    compared = by_template = legal = 0
    while compared < count:
        first = document(draw)
        for number in range(8):
            current = first if number == 0 else twin(first, draw)
            before = copy.deepcopy(current)
            answered = contexts.templates.quads(current)
            truth = told(current, expanded_quads, contexts)
            assert current == before
            if answered is not None:
                said = rdf_canon.canonicalise(answered).lines
                assert said == truth, json.dumps(current, ensure_ascii=False)
            compared += 1
            by_template += answered is not None
            legal += truth != "refused"
            if number == 0 and truth == "refused" and draw.random() < 0.8:
                break  # its twins are mostly refused as well
    return compared, by_template, legal


def test_documents_made_to_differ():
    compared, by_template, legal = compare(seed=20, count=1_000)

    assert compared >= 1_000
    assert legal > 400
    assert by_template > 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, length(2, 5)))
def test_thousands_of_documents_made_to_differ(seed):
    compared, by_template, legal = compare(seed=seed, count=20_000 // 4)

    assert compared >= 5_000
    assert legal > 2_000
    assert by_template > 500


CREDENTIAL: dict[str, Any] = {
    "@context": [V2, EXAMPLES],
    "id": "urn:uuid:1",
    "type": ["VerifiableCredential", "ExampleDegreeCredential"],
    "issuer": "did:example:issuer",
    "validFrom": "2024-01-01T00:00:00Z",
    "credentialSubject": {
        "id": "did:example:alice",
        "degree": {"type": "ExampleBachelorDegree", "name": "Bachelor"},
        "marks": ["a", "b"],
    },
}


def warmed(
    value: dict[str, Any] = CREDENTIAL, contexts: ContextStore | None = None
) -> ContextStore:
    contexts = contexts or store()
    for _ in range(SIGHTINGS):
        to_quads(value, contexts)
    return contexts


def changed(**members: Any) -> dict[str, Any]:
    return {**copy.deepcopy(CREDENTIAL), **members}


def test_a_second_document_of_a_shape_is_answered_by_the_template():
    contexts = warmed()
    other = changed(
        id="urn:uuid:2", issuer="did:example:another", validFrom="2025-05-05T05:05:05+08:00"
    )
    other["credentialSubject"]["degree"]["name"] = 'tab \t quote " 学士'

    assert contexts.templates.quads(other) is not None
    assert told(other, to_quads, contexts) == told(other, expanded_quads, contexts)
    assert canonicalise(other, contexts, hash_name="sha384").lines


def test_one_document_alone_makes_no_template():
    contexts = store()

    assert contexts.templates.quads(CREDENTIAL) is None
    assert contexts.templates.quads(CREDENTIAL) is not None


@pytest.mark.parametrize(
    "members",
    [
        {"id": "relative"},
        {"id": "urn:with space"},
        {"id": "urn:<>"},
        {"id": "_:b0"},
        {"id": ""},
        {"id": "@id"},
        {"id": "https://www.w3.org/2018/credentials#VerifiableCredential"},
        {"issuer": "did:example:alice"},  # two nodes become one
        {"credentialSubject": {"id": "did:example:alice", "undefined term": "x"}},
        {"undefined": "x"},
        {"validFrom": None},
        {"validFrom": 5},
        {"type": ["VerifiableCredential", "Undefined"]},
        {"type": "VerifiableCredential"},
        {"@context": [V2]},
        {"@context": [V2, EXAMPLES, {"name": "https://other.example/name"}]},
        {"@context": [V2, EXAMPLES, "https://unknown.example/"]},
    ],
)
def test_what_is_not_of_the_shape_is_left_to_the_reference(members):
    contexts = warmed()
    other = changed(**members)

    assert told(other, to_quads, contexts) == told(other, expanded_quads, contexts)
    if "validFrom" not in members or members["validFrom"] is None:
        answered = contexts.templates.quads(other)
        truth = told(other, expanded_quads, contexts)
        assert answered is None or rdf_canon.canonicalise(answered).lines == truth


def test_undefined_terms_are_refused_every_time():
    contexts = store()
    strict = {
        "@context": [V2],
        "type": ["VerifiableCredential"],
        "credentialSubject": {"id": "urn:a:b"},
    }
    for value in (
        changed(**{**strict, "undefined": "x"}),
        changed(**{**strict, "type": ["VerifiableCredential", "Undefined"]}),
        changed(**{**strict, "credentialSubject": {"degree": "x"}}),
    ):
        for _ in range(2 * MAX_ATTEMPTS):
            with pytest.raises(Malformed):
                to_quads(value, contexts)
            with pytest.raises(Malformed):
                check_lossless(value, contexts)


def test_a_refusal_is_that_of_the_reference():
    contexts = warmed()
    for value in (changed(id="urn:with space"), changed(id="relative"), changed(id=None)):
        with pytest.raises(Malformed) as ours:
            check_lossless(value, contexts)
        with pytest.raises(Malformed) as theirs:
            expand(value, contexts)
        assert (type(ours.value), ours.value.detail) == (type(theirs.value), theirs.value.detail)


def inline(**subject: Any) -> dict[str, Any]:
    terms = {name: value for name, value in INLINE.items() if name != "urn"}
    return {**CREDENTIAL, "@context": [V2, terms], "type": "VerifiableCredential",
            "credentialSubject": {"id": "did:example:alice", **subject}}  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # A text that a context defines as a whole, where its like is an IRI of its own.
        ({"word": "https://one.example/"}, {"word": "https://vocab.example/#full"}),
        ({"word": "ex:other"}, {"word": "ex:compact"}),
        ({"kind": "https://one.example/"}, {"kind": "https://vocab.example/#full"}),
        # A text that is a term, where its like is none.
        ({"word": "Thing"}, {"word": "Scoped"}),
        ({"kind": "Thing", "lit": "did:a:b"}, {"kind": "Scoped", "lit": "did:a:b"}),
        # Languages, types of values, and names of the document's own making.
        ({"lit": {"val": "x", "lang": "en"}}, {"lit": {"val": "x", "lang": "x y"}}),
        ({"lit": {"val": "x", "lang": "en"}}, {"lit": {"val": "x", "lang": "EN"}}),
        ({"ref": "did:a:b"}, {"ref": "did:example:alice"}),
        ({"refs": ["did:a:b", "did:a:c"]}, {"refs": ["did:a:b", "did:a:b"]}),
        ({"list": ["a", "b"]}, {"list": ["a", "a"]}),
        ({"set": ["a", "b"]}, {"set": ["a", "a"]}),
        ({"set": [{"lit": "a"}, {"lit": "b"}]}, {"set": [{"lit": "a"}, {"lit": "a"}]}),
        ({"json": {"a": "x"}}, {"json": {"a": 'y"'}}),
        ({"float": "1.5"}, {"float": "x"}),
        ({"ex:prop": 5}, {"ex:prop": 5.0}),
        ({"ex:prop": 5}, {"ex:prop": "5"}),
        ({"ex:prop": True}, {"ex:prop": 1}),
        ({"graph": {"id": "urn:g:1", "lit": "a"}}, {"graph": {"id": "urn:uuid:1", "lit": "a"}}),
        (
            {"ref2": {"id": "urn:n:1", "lit": "a"}, "lit": {"id": "urn:n:2", "list": ["x"]}},
            {"ref2": {"id": "urn:n:1", "lit": "a"}, "lit": {"id": "urn:n:1", "list": ["x"]}},
        ),
    ],
)
def test_pairs_of_one_look_and_another_meaning(first, second):
    contexts = warmed(inline(**first)) if "ref2" not in first else store()
    for value in (inline(**second), inline(**first), inline(**second), inline(**second)):
        assert told(value, to_quads, contexts) == told(value, expanded_quads, contexts)


def test_a_term_with_a_colon_in_an_embedded_context_is_no_slot():
    """Names with a colon are found in what is embedded, at every depth."""
    found = set(names_with_colon([{"a": {"@context": {"x:y": "z"}}}, {"https://t.example/": "u"}]))

    assert found == {"x:y", "https://t.example/"}
    shape = shape_of(inline(lit="a"))
    assert shape is not None
    assert {"https://vocab.example/#full", "ex:compact"} <= shape.terms


def test_markers_in_a_document_confuse_nobody():
    contexts = store()
    for value in (
        changed(id="urn:cairn-slot-1-end"),
        changed(validFrom="cairn-slot-0-end"),
        changed(id="urn:cairn-slot-0-end", issuer="did:cairn-slot-1-end"),
    ):
        for _ in range(4):
            assert told(value, to_quads, contexts) == told(value, expanded_quads, contexts)


def test_bounds():
    contexts = store()
    many = changed(credentialSubject={"marks": [f"m{n}" for n in range(MAX_TEXTS)]})
    deep: Any = "x"
    for _ in range(5_000):
        deep = [deep]

    assert shape_of(many) is None
    assert shape_of(changed(**{"x" * MAX_SHAPE_CHARS: "x"})) is None
    assert shape_of({1: "x"}) is None
    assert shape_of(changed(name=deep)) is None
    assert shape_of({"a": None}) is None
    assert shape_of({"@context": float("nan")}) is None
    for number in range(MAX_SHAPES + 40):
        for _ in range(SIGHTINGS):
            contexts.templates.quads({f"undefined{number}": "x"})
    assert len(contexts.templates._known) <= MAX_SHAPES
    assert len(contexts.templates._seen) <= MAX_SHAPES


def test_templates_together_have_a_bounded_number_of_statements(monkeypatch):
    monkeypatch.setattr(jsonld_templates, "MAX_STATEMENTS", 40)
    contexts = store()
    for number in range(30):
        value = changed(credentialSubject={"id": "did:example:alice", f"m{number}": "x"})
        for _ in range(SIGHTINGS + 1):
            assert told(value, to_quads, contexts) == told(value, expanded_quads, contexts)
        held = [
            len(template.quads)
            for known in contexts.templates._known.values()
            for template in known.templates
        ]
        assert sum(held) == contexts.templates._statements <= 40

    assert held


def test_a_shape_without_a_template_costs_a_bounded_number_of_expansions():
    calls = 0

    def reference(_document):
        nonlocal calls
        calls += 1
        raise Malformed("never")

    cache = TemplateCache(reference, terms=frozenset())
    for number in range(100):
        assert cache.quads({"id": f"urn:a:{number}"}) is None

    assert calls <= MAX_ATTEMPTS


def test_a_reference_that_changes_its_mind_is_not_trusted():
    """The template must give back what the reference says of the document itself."""
    marked = "<urn:cairn-slot-0-end>"

    def reference(value):
        subject = f"<{value['id']}>"
        return [(subject, "<urn:p>", '"1"' if subject == marked else '"2"', "")]

    cache = TemplateCache(reference, terms=frozenset())
    for _ in range(5):
        assert cache.quads({"id": "urn:a:b"}) is None


def test_texts_of_the_shape_make_variants_and_few_of_them():
    """Under a vocabulary every plain word is an IRI, so each word has a template of its own."""
    contexts = store()
    for number in range(4 * MAX_VARIANTS):
        value = inline(word=f"word{number // 2}")
        value["@context"] = [V2, {**INLINE, "@vocab": VOCAB}]
        value["id"] = f"https://id.example/{number}"
        assert told(value, to_quads, contexts) == told(value, expanded_quads, contexts)
    (known,) = contexts.templates._known.values()

    assert 1 < len(known.templates) <= MAX_VARIANTS


def test_many_threads_read_the_same():
    contexts, wrong = store(), []
    truth = told(CREDENTIAL, expanded_quads, contexts)

    def work():
        for number in range(30):
            value = changed(id=f"urn:uuid:{number}")
            if told(value, to_quads, contexts) == truth:
                wrong.append(number)
            if told(CREDENTIAL, to_quads, contexts) != truth:
                wrong.append(-1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not [number for number in wrong if number != 1]


def test_a_vocabulary_makes_iris_of_plain_words_and_they_are_no_slots():
    contexts = store()
    first = {**inline(word="apple"), "@context": [V2, {**INLINE, "@vocab": VOCAB}]}
    second = {**inline(word="pear"), "@context": [V2, {**INLINE, "@vocab": VOCAB}]}
    for value in (first, second, first, second, first):
        assert told(value, to_quads, contexts) == told(value, expanded_quads, contexts)
