"""A joining node may ask three questions through a member, and nobody may ask more."""

import json
from collections.abc import Iterator, Mapping

import pytest

from registry.api.app import create_app
from registry.client import AsgiTransport
from tests.registry.api.conftest import Registry
from tests.registry.authors import trust_anchor

URL = "/registry/engine-rpc"


class Engine:
    """Says what it was asked, as a node would answer."""

    def ask(self, method: str, params: Mapping[str, str]) -> bytes:
        return json.dumps({"jsonrpc": "2.0", "id": 1, "result": [method, params]}).encode()


@pytest.fixture
def node(registry: Registry) -> Iterator[AsgiTransport]:
    transport = AsgiTransport(create_app(registry.ledger, trust_anchor(), engine_rpc=Engine()))
    yield transport
    transport.close()


def question(method: object = "commit", params: object = None, number: object = 7) -> bytes:
    return json.dumps(
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}
    ).encode()


@pytest.mark.parametrize(
    ("method", "params", "passed_on"),
    [
        ("commit", {}, {}),
        ("commit", {"height": "5"}, {"height": "5"}),
        ("commit", {"height": None}, {}),
        ("validators", {"height": 5, "page": "1", "per_page": "100"}, None),
        ("consensus_params", {"height": "5", "other": "x"}, {"height": "5"}),
    ],
)
def test_what_a_joining_node_asks_is_passed_on(
    node: AsgiTransport, method: str, params: dict[str, object], passed_on: object
) -> None:
    answer = node.post(URL, question(method, params))

    found = json.loads(answer.body)
    assert answer.status == 200
    assert found["id"] == 7
    expected = {"height": "5", "page": "1", "per_page": "100"} if passed_on is None else passed_on
    assert found["result"] == [method, expected]


@pytest.mark.parametrize(
    "asked",
    [
        question("broadcast_tx_sync", {"tx": "AAAA"}),
        question("dial_peers"),
        question("abci_query"),
        question(["commit"]),
        question("commit", ["5"]),
        question("commit", {"height": "5; DROP"}),
        question("commit", {"height": -1}),
        question("commit", {"height": {"a": 1}}),
        question("commit", number="7"),
        b"[]",
        b"",
        b"\xff",
    ],
)
def test_anything_else_is_refused(node: AsgiTransport, asked: bytes) -> None:
    assert node.post(URL, asked).status == 400


def test_a_long_question_is_not_read(node: AsgiTransport) -> None:
    assert node.post(URL, b" " * 100_000).status == 413


def test_an_embedded_registry_has_no_engine(registry: Registry) -> None:
    assert registry.http.post(URL, content=question()).status_code == 404
