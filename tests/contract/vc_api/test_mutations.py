"""Requests that nobody means: valid ones, with a member or two made into something else.

Whatever comes, the answer is a yes or a no in due form. Seeds are fixed; a case that was wrong once
has a test of its own.
"""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.vc_api.suite import EXAMPLES, V2, Suite, changed

ROUNDS = 25
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 1e300, "", "x", "a b", "did:x", "http://", "@id", "@json", "\ud800"),
    *([], {}, [[]], [{}], {"@value": 1}, {"@id": "x"}, {"@context": None}, ["x", "x"]),
    *({"@type": "@json", "@value": {"a": [1]}}, 10**30, {"id": "urn:x"}, "2020-01-01T00:00:00"),
)
WORDS = ("@id", "@type", "@graph", "@included", "@context", "@reverse", "@index", "@list", "proof")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for step, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(member, (*path, step))


def mutated(document: Any, choice: random.Random) -> Any:
    document = copy.deepcopy(document)
    for _ in range(choice.choice((1, 1, 1, 2))):
        path = choice.choice([path for path in places(document) if path])
        parent = document
        for step in path[:-1]:
            parent = parent[step]
        kind = choice.random()
        if kind < 0.6:
            parent[path[-1]] = copy.deepcopy(choice.choice(ODD))
        elif kind < 0.8:
            del parent[path[-1]]
        elif isinstance(parent, dict):
            parent[choice.choice(WORDS)] = copy.deepcopy(choice.choice(ODD))
        else:
            parent.append(copy.deepcopy(choice.choice(ODD)))
    return document


@pytest.mark.parametrize(
    "instance",
    [
        "eddsa-rdfc-2022",
        "eddsa-jcs-2022",
        "ecdsa-sd-2023",
        "bbs-2023",
        "status",
        "enveloped-sd-jwt",
    ],
)
def test_every_answer_is_a_yes_or_a_no_in_due_form(suite: Suite, instance: str):
    unsigned = suite.credential(
        instance,
        name={"@value": "n", "@language": "en", "@direction": "ltr"},
        evidence=[{"id": "urn:x:evidence", "type": "Evidence"}],
        credentialSchema={"id": "urn:x:schema", "type": "Schema"},
    )
    vc = suite.issue(unsigned, instance).credential
    choice = random.Random(instance)
    sent = {
        f"/issuers/{instance}/credentials/issue": {
            "credential": unsigned,
            "options": {"mandatoryPointers": ["/issuer"]},
        },
        "/verifiers/proof-only/credentials/verify": {"verifiableCredential": vc, "options": {}},
        "/verifiers/conformance/presentations/verify": {
            "verifiablePresentation": suite.presentation(vc, holder="did:example:holder"),
            "options": {},
        },
        f"/issuers/{instance}/credentials/derive": {
            "verifiableCredential": vc,
            "options": {"selectivePointers": ["/credentialSubject/degree", "/evidence/0"]},
        },
    }

    asked = 0
    for path, request in sent.items():
        for _ in range(ROUNDS):
            body = json.dumps(mutated(request, choice)).encode("ascii")
            answer = suite.post(path, body, headers={"content-type": "application/json"})
            if answer.status not in (200, 201):
                answer.must_refuse()
            asked += 1

    assert asked == ROUNDS * len(sent)


@pytest.mark.parametrize("instance", ["ecdsa-sd-2023", "bbs-2023"])
def test_a_part_that_does_not_keep_the_names_of_its_nodes(suite: Suite, instance: str):
    # Without the base context nothing calls `@id` by the name `id`. It was an error of ours, 500.
    base = changed(suite.issued(instance), **{"@context": [EXAMPLES]})

    answer = suite.derive(base, ["/credentialSubject/degree"], f"/issuers/{instance}")

    answer.must_refuse()
    assert suite.derive(
        changed(base, **{"@context": [V2, EXAMPLES]}),
        ["/credentialSubject/degree"],
        f"/issuers/{instance}",
    ).credential
