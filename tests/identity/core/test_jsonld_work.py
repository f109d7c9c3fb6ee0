"""What one stranger's request may cost in JSON-LD work, all its documents together."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from identity.core import jsonld_bounds, rdf_canon
from identity.core.data_integrity import add_proof
from identity.core.jsonld import ContextStore
from identity.core.jsonld_bounds import JsonLdRefused
from identity.core.rdf_canon import DatasetNotCanonicalised
from identity.core.verification import presented
from identity.core.verification.did_documents import self_description
from identity.core.verification.holder import prove_presentation
from identity.core.verification.proof import prove
from tests.identity.core.contexts import bundled
from tests.identity.core.signers import signer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
V2 = "https://www.w3.org/ns/credentials/v2"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
SIGNER = signer()
CREDENTIALS, PROOFS = 8, 5


def credential(number: int, members: int = 1) -> dict[str, Any]:
    return {
        "@context": [V2, EXAMPLES],
        "type": ["VerifiableCredential"],
        "issuer": SIGNER.key.did_key,
        "credentialSubject": {
            "id": f"did:example:{number}",
            "knows": [{"id": f"urn:x:{number}:{place}", "is": place} for place in range(members)],
        },
    }


def signed(document: dict[str, Any], contexts: ContextStore, purpose: str) -> dict[str, Any]:
    for second in range(PROOFS):
        document = add_proof(
            document,
            signer=SIGNER,
            cryptosuite="eddsa-rdfc-2022",
            created=NOW.replace(second=second),
            purpose=purpose,
            contexts=contexts,
        )
    return document


def judged(presentation: dict[str, Any], contexts: ContextStore) -> int:
    """As the pipeline does: each credential, and for each of them the presentation."""
    taken = presented.parse_linked_presentation(presentation)
    for unverified in taken:
        hints = presented.hints(unverified)
        documents = (self_description(hints.method),)
        prove(unverified, hints=hints, documents=documents, contexts=contexts, now=NOW)
        prove_presentation(presentation, contexts=contexts, now=NOW, skew_seconds=60)
    return len(taken)


def test_a_presentation_is_worked_through_once_whatever_it_holds(monkeypatch):
    contexts = bundled()
    held = [
        signed(credential(number), contexts, "assertionMethod") for number in range(CREDENTIALS)
    ]
    presentation = signed(
        {"@context": [V2], "type": ["VerifiablePresentation"], "verifiableCredential": held},
        contexts,
        "authentication",
    )
    worked: list[int] = []
    plain = rdf_canon.canonicalise
    monkeypatch.setattr(
        rdf_canon,
        "canonicalise",
        lambda quads, **options: worked.append(1) or plain(quads, **options),
    )

    assert judged(presentation, contexts.for_request()) == CREDENTIALS

    # Each document, and the configuration of each proof under either set of contexts.
    made = 2 * jsonld_bounds.MAX_REQUEST_TEMPLATES  # compared with what expansion says
    assert len(worked) <= CREDENTIALS + 1 + 2 * PROOFS + made


def test_what_a_request_costs_is_bounded_over_all_its_documents(monkeypatch):
    monkeypatch.setattr(jsonld_bounds, "MAX_REQUEST_VALUES", 800)
    contexts = bundled().for_request()
    for number in range(2):
        contexts.expand(credential(number, members=100))

    with pytest.raises(JsonLdRefused, match="too much work"):
        contexts.expand(credential(2, members=120))


def test_the_next_request_begins_anew_and_our_own_work_is_not_counted(monkeypatch):
    monkeypatch.setattr(jsonld_bounds, "MAX_REQUEST_VALUES", 800)
    store = bundled()
    for number in range(5):
        store.expand(credential(number, members=100))
        store.for_request().expand(credential(number, members=100))


def test_a_document_of_the_largest_size_can_still_be_judged():
    # Twice: once to see what would be lost, and once to be signed over.
    assert jsonld_bounds.MAX_REQUEST_VALUES >= 2 * jsonld_bounds.MAX_VALUES
    assert jsonld_bounds.MAX_REQUEST_QUADS >= 2 * rdf_canon.MAX_QUADS
    assert jsonld_bounds.MAX_REQUEST_STEPS >= rdf_canon.MAX_STEPS


@pytest.mark.parametrize(
    ("bound", "value", "made"),
    [
        ("MAX_REQUEST_VALUES", jsonld_bounds.MAX_REQUEST_VALUES, 1),
        ("MAX_REQUEST_VALUES", 400, 0),  # a fourth of it is one expansion, and five are needed
        ("MAX_REQUEST_QUADS", 200, 0),
    ],
)
def test_making_a_template_is_counted_and_changes_no_verdict(monkeypatch, bound, value, made):
    monkeypatch.setattr(jsonld_bounds, bound, value)
    store = ContextStore(bundled()._documents)  # which has no templates yet
    document = credential(0, members=20)
    assert store.templates.quads(credential(1, members=20)) is None  # seen once

    told = store.for_request().quads(document)

    assert rdf_canon.canonicalise(told) == rdf_canon.canonicalise(store.expanded_quads(document))
    (known,) = store.templates._known.values()
    assert len(known.templates) == made


def test_contexts_that_are_applied_again_and_again_are_bounded_over_all_documents(monkeypatch):
    monkeypatch.setattr(jsonld_bounds, "MAX_REQUEST_TERMS", 700)
    contexts = bundled().for_request()
    contexts.expand(credential(0))

    scoped = {
        **credential(0),
        "@context": [V2, {f"t{n}": "urn:t" for n in range(99)}],
        "credentialSubject": {"id": "did:example:a"},
    }
    with pytest.raises(JsonLdRefused, match="too much work"):
        list(map(contexts.expand, [scoped] * 20))


def test_a_second_poisoned_graph_is_not_even_tried():
    names = [f"_:n{number}" for number in range(20)]
    clique = [(one, "<urn:p>", other, "") for one in names for other in names if one != other]
    contexts = bundled().for_request()
    with pytest.raises(DatasetNotCanonicalised):
        contexts.canonicalise_quads(clique)

    with pytest.raises(JsonLdRefused, match="too much work"):
        contexts.canonicalise_quads(clique)


def test_threads_that_expand_at_once_say_what_each_says_alone():
    documents = [credential(number, members=1 + number % 7) for number in range(40)]
    alone = [bundled().expanded_quads(document) for document in documents]
    contexts = bundled()

    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(contexts.expanded_quads, documents * 3))

    assert together == alone * 3
