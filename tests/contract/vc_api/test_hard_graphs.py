"""RDFC-1.0 over HTTP (section 8): poison ends in a refusal within a bound, hard legal graphs pass.

With SHA-256 and, where the key is P-384, with SHA-384.
"""

import time
from typing import Any

import pytest

from tests.contract.vc_api.suite import V2, Suite, changed

RDFC = ("eddsa-rdfc-2022", "ecdsa-rdfc-2019-p256", "ecdsa-rdfc-2019-p384")
SECONDS = 20  # for one request, on a machine that does other things as well; poison takes hours
KNOWS = {
    "about": "https://graph.example/#about",
    "knows": {"@id": "https://graph.example/#knows", "@type": "@id", "@container": "@set"},
    "label": "https://graph.example/#label",
}


def graph(suite: Suite, instance: str, subject: Any) -> Any:
    return suite.credential(
        instance,
        **{
            "@context": [V2, KNOWS],
            "type": ["VerifiableCredential"],
            "credentialSubject": {"about": subject},
        },
    )


def clique(size: int) -> list[dict[str, Any]]:
    """Nodes without names, each of which knows every other: no two can be told apart."""
    return [
        {"id": f"_:n{a}", "knows": [f"_:n{b}" for b in range(size) if b != a]} for a in range(size)
    ]


def ring(size: int) -> list[dict[str, Any]]:
    """As many look-alikes, but each has one neighbour."""
    return [{"id": f"_:n{a}", "knows": [f"_:n{(a + 1) % size}"]} for a in range(size)]


def grid(size: int) -> list[dict[str, Any]]:
    """A torus: every node has the same two neighbours to look at."""
    return [
        {
            "id": f"_:n{x}-{y}",
            "knows": [f"_:n{(x + 1) % size}-{y}", f"_:n{x}-{(y + 1) % size}"],
        }
        for x in range(size)
        for y in range(size)
    ]


POISON = {"clique of 10": clique(10), "clique of 20": clique(20), "torus of 144": grid(12)}
HARD = {
    "pair that know each other": ring(2),
    "ring of 12": ring(12),
    "clique of 4": clique(4),
    "torus of 9": grid(3),
    "forty equal nodes": {"knows": [{"label": "same"} for _ in range(40)]},
    "ten nodes under each other": {"knows": [{"knows": [{"knows": [{"label": "deep"}]}]}]},
    "labelled clique": [
        {"label": str(a), "id": f"_:n{a}", "knows": [f"_:n{b}" for b in range(8) if b != a]}
        for a in range(8)
    ],
}


@pytest.mark.parametrize("name", POISON)
@pytest.mark.parametrize("instance", RDFC)
def test_poison_is_refused_within_a_bound(suite: Suite, instance: str, name: str):
    document = graph(suite, instance, POISON[name])
    proof = suite.issued(instance)["proof"]
    begun = time.monotonic()

    suite.issue(document, instance).must_refuse()
    assert not suite.verify(changed(document, proof=proof)).is_verified

    assert time.monotonic() - begun < SECONDS


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("instance", RDFC)
def test_hard_but_legal_graphs_are_issued_and_verified(suite: Suite, instance: str, name: str):
    begun = time.monotonic()

    issued = suite.issue(graph(suite, instance, HARD[name]), instance).credential

    assert suite.verify(issued).is_verified
    other = changed(issued, name="another")
    assert not suite.verify(other).is_verified
    assert time.monotonic() - begun < SECONDS


def test_poison_in_a_presentation_and_in_what_is_derived(suite: Suite):
    poison = graph(suite, "ecdsa-sd-2023", POISON["clique of 20"])
    begun = time.monotonic()

    for instance in ("ecdsa-sd-2023", "bbs-2023"):
        proof = suite.issued(instance)["proof"]
        secured = changed(graph(suite, instance, POISON["clique of 20"]), proof=proof)
        suite.derive(secured, ["/credentialSubject"]).must_refuse()
    presentation = suite.presentation(changed(poison, proof=suite.issued()["proof"]))
    assert not suite.verify_presentation(presentation).is_verified

    assert time.monotonic() - begun < 3 * SECONDS
