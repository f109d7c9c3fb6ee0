"""RDFC-1.0 against the W3C tests, and against pyoxigraph as an independent implementation."""

import time

import pyoxigraph
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.core import rdf_canon
from identity.core.rdf_canon import DatasetNotCanonicalised, Quad, canonicalise, literal
from tests.vectors import read_vector, vectors_dir

FOLDER = vectors_dir() / "rdf-canon/tests"
ENTRIES = read_vector(FOLDER / "manifest.jsonld")["entries"]
EVAL = [entry for entry in ENTRIES if entry["type"] == "rdfc:RDFC10EvalTest"]
MAP = [entry for entry in ENTRIES if entry["type"] == "rdfc:RDFC10MapTest"]
NEGATIVE = [entry for entry in ENTRIES if entry["type"] == "rdfc:RDFC10NegativeEvalTest"]


def term(value: object) -> str:
    if isinstance(value, pyoxigraph.NamedNode):
        return rdf_canon.iri(value.value)
    if isinstance(value, pyoxigraph.BlankNode):
        return f"_:{value.value}"
    if isinstance(value, pyoxigraph.DefaultGraph):
        return ""
    assert isinstance(value, pyoxigraph.Literal)
    return literal(value.value, datatype=value.datatype.value, language=value.language)


def quads_of(nquads: str | bytes) -> list[Quad]:
    return [
        (term(quad.subject), term(quad.predicate), term(quad.object), term(quad.graph_name))
        for quad in pyoxigraph.parse(nquads, format=pyoxigraph.RdfFormat.N_QUADS)
    ]


def hash_name(entry: dict) -> str:
    return (entry.get("hashAlgorithm") or "SHA256").lower()


def by_id(entry: dict) -> str:
    return entry["id"].lstrip("#")


def test_the_vectors_are_here():
    assert (len(EVAL), len(MAP), len(NEGATIVE), len(ENTRIES)) == (64, 21, 1, 86)


@pytest.mark.parametrize("entry", EVAL, ids=by_id)
def test_published_canonical_form(entry):
    quads = quads_of((FOLDER / entry["action"]).read_bytes())

    canonical = canonicalise(quads, hash_name=hash_name(entry))

    assert canonical.nquads == (FOLDER / entry["result"]).read_text("utf-8")


@pytest.mark.parametrize("entry", MAP, ids=by_id)
def test_published_identifiers(entry):
    quads = quads_of((FOLDER / entry["action"]).read_bytes())

    canonical = canonicalise(quads, hash_name=hash_name(entry))

    expected = read_vector(FOLDER / entry["result"])
    assert {old[2:]: new[2:] for old, new in canonical.identifiers.items()} == expected


@pytest.mark.parametrize("entry", NEGATIVE, ids=by_id)
def test_published_poison_is_refused_within_a_bound(entry):
    quads = quads_of((FOLDER / entry["action"]).read_bytes())
    started = time.perf_counter()

    with pytest.raises(DatasetNotCanonicalised):
        canonicalise(quads)

    assert time.perf_counter() - started < 10


def clique(size: int) -> list[Quad]:
    nodes = [f"_:n{number}" for number in range(size)]
    return [(a, "<urn:p>", b, "") for a in nodes for b in nodes if a != b]


@pytest.mark.parametrize("size", [8, 20, 100])
def test_cliques_are_refused_within_a_bound(size):
    started = time.perf_counter()

    with pytest.raises(DatasetNotCanonicalised):
        canonicalise(clique(size))

    assert time.perf_counter() - started < 10


def test_too_many_quads_and_blank_nodes_are_refused():
    nodes = [f"_:n{number}" for number in range(rdf_canon.MAX_BLANK_NODES + 1)]
    chain = [(node, "<urn:p>", literal(node), "") for node in nodes]
    with pytest.raises(DatasetNotCanonicalised, match="blank nodes"):
        canonicalise(chain)
    canonicalise(chain[:-1])
    many = [("<urn:s>", "<urn:p>", literal(str(n)), "") for n in range(rdf_canon.MAX_QUADS + 1)]
    with pytest.raises(DatasetNotCanonicalised, match="quads"):
        canonicalise(many)


def test_a_ring_of_nodes_that_look_alike_does_not_exhaust_the_stack():
    size = rdf_canon.MAX_DEPTH + 1
    ring = [(f"_:n{n}", "<urn:p>", f"_:n{(n + 1) % size}", "") for n in range(size)]

    with pytest.raises(DatasetNotCanonicalised):
        canonicalise(ring)


def test_control_characters_are_escaped_as_canonical_n_quads_demand():
    # A common library leaves these as they are and so hashes something else.
    assert literal('\b\t\n\f\r"\\\x00\x1f\x7f\x80é') == (
        '"\\b\\t\\n\\f\\r\\"\\\\\\u0000\\u001F\\u007F\x80é"'
    )


@pytest.mark.parametrize(
    "value", ["", "a", "a:b c", "a:<", "1a:b", "a:\n", "rel/path", "a:b\\c", "a:"]
)
def test_what_is_no_absolute_iri_is_refused(value):
    with pytest.raises(DatasetNotCanonicalised):
        rdf_canon.iri(value)


@pytest.mark.parametrize("tag", ["", "-", "en-", "e n", "abcdefghi", "en_US", "é"])
def test_what_is_no_language_tag_is_refused(tag):
    with pytest.raises(DatasetNotCanonicalised):
        literal("x", language=tag)


def test_the_hash_is_a_choice_between_two():
    with pytest.raises(KeyError):
        canonicalise([("_:a", "<urn:p>", "_:b", "")], hash_name="md5")


nodes = st.sampled_from(["_:a", "_:b", "_:c", "_:d", "<urn:x>"])
datasets = st.lists(
    st.tuples(
        nodes,
        st.sampled_from(["<urn:p>", "<urn:q>"]),
        nodes | st.text(max_size=3).map(literal),
        st.sampled_from(["", "_:a", "_:g", "<urn:g>"]),
    ),
    max_size=10,
)


@settings(max_examples=200)
@given(datasets, st.randoms(use_true_random=False))
def test_it_agrees_with_an_independent_implementation(quads, random):
    shuffled = list(quads)
    random.shuffle(shuffled)
    text = "".join(rdf_canon.line(quad) for quad in shuffled)
    oracle = pyoxigraph.Dataset(pyoxigraph.parse(text, format=pyoxigraph.RdfFormat.N_QUADS))
    oracle.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    expected = sorted(rdf_canon.line(quad) for quad in quads_of(str(oracle)))

    assert list(canonicalise(quads).lines) == expected


@pytest.mark.parametrize("number", range(12))
def test_graphs_that_are_twins_are_named_at_once(number):
    """One node is named by eight quads of its graph; swapping it with itself is no other order."""
    quads = [
        quad
        for twin in ("a", "b", "c")
        for quad in [
            ("<urn:top>", "<urn:has>", f"_:g{twin}", ""),
            (f"_:n{twin}", "<urn:proof>", f"_:h{twin}", f"_:g{twin}"),
            *((f"_:n{twin}", f"<urn:p{i}>", literal("x"), f"_:g{twin}") for i in range(7)),
            *((f"_:m{twin}", f"<urn:q{i + number}>", literal("y"), f"_:h{twin}") for i in range(8)),
        ]
    ]
    oracle = pyoxigraph.Dataset(
        pyoxigraph.parse(
            "".join(rdf_canon.line(quad) for quad in quads), format=pyoxigraph.RdfFormat.N_QUADS
        )
    )
    oracle.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)

    lines = list(canonicalise(quads).lines)

    assert lines == sorted(rdf_canon.line(quad) for quad in quads_of(str(oracle)))
