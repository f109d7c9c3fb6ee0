"""JSON-LD: whatever the processor would leave out of the signed RDF is refused."""

import contextlib
import copy
import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyld.context_resolver import ContextResolver
from pyld.jsonld import JsonLdError

from identity.core.jsonld import (
    ContextNotKnown,
    ContextStore,
    JsonLdRefused,
    canonicalise,
    expand,
    to_quads,
)
from identity.core.jsonld_bounds import MAX_CONTEXTS, MAX_VALUES
from identity.core.jsonld_processor import Resolver
from registry.core.refusals import Malformed
from tests.identity.core.contexts import bundled

CREDENTIAL = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://w3id.org/citizenship/v4rc1",
    ],
    "type": ["VerifiableCredential", "EmploymentAuthorizationDocumentCredential"],
    "issuer": {"id": "did:example:issuer", "image": "data:image/png;base64,iVBO"},
    "credentialSubject": {
        "type": ["Person", "EmployablePerson"],
        "givenName": "JOHN",
        "employmentAuthorizationDocument": {
            "type": "EmploymentAuthorizationDocument",
            "identifier": "83627465",
        },
    },
}


def changed(change) -> dict:
    document = copy.deepcopy(CREDENTIAL)
    change(document)
    return document


def with_context(context, **members):
    return lambda document: (document["@context"].append(context), document.update(members))


def test_the_bundled_contexts_are_the_published_bytes():
    # Digests as printed in VC Data Model 2.0 appendix B.1 and in SOURCE.md.
    folder = files("schemas") / "contexts"
    index = json.loads((folder / "index.json").read_text("utf-8"))
    source = (folder / "SOURCE.md").read_text("utf-8")
    v2 = hashlib.sha256((folder / "credentials-v2.jsonld").read_bytes()).hexdigest()

    assert v2 == "59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734"
    assert len(index) == 12
    for url, name in index.items():
        row = next(line for line in source.splitlines() if line.startswith(f"| {name} |"))
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert url in row
        assert row.endswith((f"| {digest[:8]} |", "|  |", "| |"))


def test_the_untouched_document_is_accepted():
    assert len(expand(CREDENTIAL, bundled())) == 1
    assert canonicalise(CREDENTIAL, bundled()).lines


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(foo=1),
        lambda d: d["credentialSubject"].update(foo=1),
        lambda d: d["credentialSubject"]["employmentAuthorizationDocument"].update(foo="x"),
        lambda d: d["issuer"].update(givenName="defined for persons only"),
        lambda d: d.update({"@foo": "looks like a keyword"}),
        with_context({"foo": None}, foo="mapped to nothing"),
        with_context({"foo": {"@id": "urn:x:y", "@context": {"bar": "urn:b"}}}, foo={"baz": 1}),
        with_context({"n": "@nest"}, n={"foo": 5}),
        with_context({"@vocab": ""}, foo="x"),
        with_context({"@vocab": "relative#"}, foo="x"),
    ],
)
def test_undefined_terms_are_refused(change):
    with pytest.raises(JsonLdRefused):
        expand(changed(change), bundled())


@pytest.mark.parametrize(
    "kind", [["Person", "EmployablePerson", "Nope"], "Nope", ["Person", "EmployablePerson", 5]]
)
def test_undefined_types_are_refused(kind):
    with pytest.raises(JsonLdRefused):
        expand(changed(lambda d: d["credentialSubject"].update(type=kind)), bundled())


@pytest.mark.parametrize("url", ["relative", "../x", "/x", "//x/y", "?x", "#x", "", ".", "urn:a b"])
def test_relative_urls_are_refused_wherever_a_base_would_resolve_them(url):
    # PyLD's base "" means http://example.org/base/; a signature would cover that.
    for change in (
        lambda d: d.update(id=url),
        lambda d: d["issuer"].update(id=url),
        lambda d: d["issuer"].update(image=url),
        with_context({"r": {"@id": "urn:r", "@type": "@id"}}, r=[url]),
        with_context({"r": {"@id": "urn:r", "@type": "@vocab"}}, r=url),
        with_context({"r": {"@id": "urn:r"}}, r={"@id": url}),
        with_context({"r": {"@id": "urn:r"}}, r={"@value": "x", "@type": url}),
        with_context({"r": {"@reverse": "urn:r"}}, r={"@id": url}),
    ):
        with pytest.raises(JsonLdRefused):
            expand(changed(change), bundled())


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["credentialSubject"].update(givenName=None),
        lambda d: d["credentialSubject"].update(givenName=["x", None]),
        lambda d: d["credentialSubject"].update(givenName={"@value": None}),
        lambda d: d["credentialSubject"].update(givenName={"@set": None}),
        lambda d: d["credentialSubject"].update(givenName={"@list": ["x", None]}),
        lambda d: d.update(name={"@language": "en"}),
        lambda d: d.update(name={"@value": "x", "@index": "unsigned"}),
        lambda d: d["credentialSubject"].update({"@index": "unsigned"}),
        with_context({"m": {"@id": "urn:m", "@container": "@index"}}, m={"unsigned": ["x"]}),
        with_context({"m": {"@id": "urn:m", "@container": "@language"}}, m={"fr": None}),
        with_context({"g": "@graph"}, g=["dropped", 5]),
        with_context({"g": "@graph"}, g=[{"id": "urn:only-an-id"}]),
        lambda d: d.update({"@included": [{"id": "urn:only-an-id"}]}),
        with_context({"foo": "_:predicate"}, foo=1),
        lambda d: d.update(type=["VerifiableCredential", "_:kind"]),
        lambda d: d.update(name={"@value": "x", "@language": "no tag"}),
        lambda d: d.update({"@type": None}),
    ],
)
def test_values_that_would_not_be_signed_are_refused(change):
    with pytest.raises(JsonLdRefused):
        expand(changed(change), bundled())


@pytest.mark.parametrize(
    "base", ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/2018/credentials/v1"]
)
def test_a_reference_in_place_of_a_credential_is_refused(base):
    presentation = {
        "@context": [base],
        "type": "VerifiablePresentation",
        "verifiableCredential": ["https://example.com/credentials/1"],
    }

    with pytest.raises(JsonLdRefused):
        expand(presentation, bundled())


def test_nulls_inside_json_literals_are_kept_and_signed():
    def change(document):
        document["@context"].append({"j": {"@id": "urn:j", "@type": "@json"}})
        document["j"] = {"a": None, "b": [None]}

    assert '"{\\"a\\":null,\\"b\\":[null]}"' in canonicalise(changed(change), bundled()).nquads


def test_direction_is_signed():
    def name(**members):
        return lambda d: d.update(name={"@value": "x", **members})

    plain = canonicalise(changed(name()), bundled()).nquads
    rtl = canonicalise(changed(name(**{"@language": "AR", "@direction": "rtl"})), bundled()).nquads

    assert plain != rtl
    assert '"x"^^<https://www.w3.org/ns/i18n#ar_rtl>' in rtl


def test_a_whole_number_is_an_integer_however_it_is_written():
    forms = [
        canonicalise(changed(lambda d, v=value: d.update(name=v)), bundled()).nquads
        for value in (5, 5.0)
    ]

    assert forms[0] == forms[1]
    assert '"5"^^<http://www.w3.org/2001/XMLSchema#integer>' in forms[0]


@pytest.mark.parametrize("number", [1 << 53, -(1 << 53), 1 << 60, 2.0**60])
def test_numbers_that_processors_read_differently_are_refused(number):
    with pytest.raises(JsonLdRefused):
        expand(changed(lambda d: d.update(name=number)), bundled())


@pytest.mark.parametrize(
    "context",
    [
        "https://example.com/unknown",
        "http://www.w3.org/ns/credentials/v2",
        "relative",
        "",
        5,
        [["x"]],
        {"@import": "https://example.com/unknown"},
        {"foo": {"@id": "urn:f", "@context": "https://example.com/unknown"}},
    ],
)
def test_contexts_that_we_do_not_have_are_refused(context):
    def change(document):
        document["@context"].append(context)
        document["foo"] = {"bar": 1}

    with pytest.raises(JsonLdRefused):
        expand(changed(change), bundled())


def test_an_unknown_context_is_named_as_the_reason():
    with pytest.raises(ContextNotKnown):
        expand(changed(with_context("https://example.com/unknown")), bundled())


def test_protected_terms_cannot_be_redefined():
    for context in ({"name": "urn:x:name"}, {"VerifiableCredential": "urn:x:vc"}, None):
        with pytest.raises(JsonLdRefused):
            expand(changed(with_context(context)), bundled())


def test_two_stores_do_not_share_what_they_know():
    one = ContextStore({"https://example.com/c": {"@context": {"x": "urn:one"}}})
    two = ContextStore({"https://example.com/c": {"@context": {"x": "urn:two"}}})
    document = {"@context": "https://example.com/c", "x": "v"}

    for _ in range(2):
        assert "urn:one" in expand(document, one)[0]
        assert "urn:two" in expand(document, two)[0]


def test_embedded_contexts_are_not_kept():
    store = ContextStore({})
    for number in range(50):
        expand({"@context": {"x": f"urn:{number}"}, "x": "v"}, store)

    assert [len(known) for known in store._idle] == [0]


def test_the_document_is_left_as_it_is():
    document = copy.deepcopy(CREDENTIAL)

    canonicalise(document, bundled())

    assert document == CREDENTIAL


def test_documents_are_bounded():
    deep: dict = {"id": "urn:x"}
    for _ in range(40):
        deep = {"evidence": deep}
    cases = [
        changed(lambda d: d.update(name=["x"] * MAX_VALUES)),
        changed(lambda d: d.update(evidence=deep)),
        changed(lambda d: d["@context"].extend([{}] * MAX_CONTEXTS)),
        changed(lambda d: d["@context"].append({f"t{n}": f"urn:{n}" for n in range(5_000)})),
    ]
    for document in cases:
        with pytest.raises(JsonLdRefused):
            expand(document, bundled())


def test_a_small_poison_graph_is_refused_in_time():
    # 1.5 KB; some processors spend 25 seconds on it before any signature is looked at.
    nodes = [
        {"@id": f"_:n{n}", "urn:p": [{"@id": f"_:n{m}"} for m in range(9) if m != n]}
        for n in range(9)
    ]
    document = {"@context": {}, "urn:all": nodes}
    started = time.perf_counter()

    with pytest.raises(Malformed):
        canonicalise(document, bundled())

    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    "members",
    [
        {"urn:p": [f"v{n}" for n in range(18_000)]},
        {"urn:p": [f"v{n}" for n in range(9_000)], "alias": [f"w{n}" for n in range(9_000)]},
        {"urn:all": [{"@id": "urn:one", "urn:p": f"v{n}"} for n in range(6_000)]},
        {"urn:all": [{"@type": "urn:t", "urn:n": n} for n in range(6_000)]},
        {"@type": [f"urn:t{n}" for n in range(18_000)]},
        {"@reverse": {"urn:p": [{"@id": "urn:one", "urn:n": n} for n in range(6_000)]}},
    ],
    ids=["values", "aliases", "one name", "nodes", "types", "reverse"],
)
def test_an_array_that_takes_minutes_to_make_a_set_of_is_refused_in_time(members):
    # 180 KB of plain texts under one property held the processor, and its lock, for 100 seconds.
    document = {"@context": {"alias": "urn:p"}, **members}
    started = time.perf_counter()

    with pytest.raises(JsonLdRefused):
        canonicalise(document, bundled())

    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("context", "node"),
    [
        ({"T": {"@id": "urn:T", "@context": {f"t{n}": f"urn:{n}" for n in range(1_900)}}}, "T"),
        (
            {
                **{f"t{n}": f"urn:{n}" for n in range(3_900)},
                "T": {"@id": "urn:T", "@context": {"a": "urn:a"}},
            },
            "T",
        ),
    ],
    ids=["large scoped context", "small one in a large one"],
)
def test_a_scoped_context_at_every_node_is_refused_in_time(context, node):
    # The processor defines its terms anew at each node: minutes, for 60 KB.
    document = {"@context": context, "urn:p": [{"@type": node, "urn:n": n} for n in range(900)]}
    started = time.perf_counter()

    with pytest.raises(JsonLdRefused):
        canonicalise(document, bundled())

    assert time.perf_counter() - started < 15


def test_long_arrays_that_cost_little_are_read():
    document = {
        "@context": {"list": {"@id": "urn:list", "@container": "@list"}},
        "urn:p": [f"v{n}" for n in range(900)],
        "list": [f"v{n}" for n in range(400)],
    }

    assert len(canonicalise(document, bundled()).lines) == 900 + 1 + 2 * 400


def test_threads_may_share_a_store():
    store = bundled()

    with ThreadPoolExecutor(4) as pool:
        results = set(pool.map(lambda _: canonicalise(CREDENTIAL, store).nquads, range(40)))

    assert len(results) == 1


def test_the_quads_are_terms_of_n_quads():
    quads = to_quads(CREDENTIAL, bundled())

    assert all(predicate.startswith("<") for _, predicate, _, _ in quads)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["@id", "VerifiableCredential", "urn:x", "_:b", "@json", "@none"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "@context",
                    "@id",
                    "@type",
                    "@value",
                    "@language",
                    "@list",
                    "@set",
                    "@graph",
                    "@reverse",
                    "@index",
                    "@nest",
                    "@included",
                    "@container",
                    "@vocab",
                    "@base",
                    "@import",
                    "@propagate",
                    "@protected",
                    "id",
                    "type",
                    "name",
                    "urn:p",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=400, deadline=None)
@given(json_values)
def test_garbage_is_refused_and_never_escapes_as_another_error(value):
    document = {"@context": ["https://www.w3.org/ns/credentials/v2"], "name": "x"}
    for attempt in (value, {**document, "name": value}, {**document, "@context": value}):
        with contextlib.suppress(Malformed):
            canonicalise(attempt, bundled())


@pytest.mark.parametrize("kind", [Resolver, ContextResolver])
def test_embedded_contexts_are_resolved_as_pyld_does(kind):
    resolver = kind({}, None)

    def resolve(context):
        return resolver.resolve({}, context, None)

    first, none, second = resolve([{"a": "urn:a", "b": "urn:é"}, None, {"a": "urn:b"}])
    assert first.document == {"a": "urn:a", "b": "urn:é"}
    assert none.document is False
    assert second.document == {"a": "urn:b"}
    assert resolve({"@context": {"b": "urn:é", "a": "urn:a"}}) == [first]  # names in any order
    assert resolve({"a": {"@id": "urn:a"}}) != [first]
    for bad in ([[{}]], 5, {"a": "\ud800"}, {"a": float("nan")}):
        with pytest.raises((JsonLdError, ValueError)):
            resolve(bad)
