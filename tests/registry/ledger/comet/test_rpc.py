"""What the engine asks its node over JSON-RPC, and answers that are not what they should be."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from registry.ledger.comet.rpc import MAX_WAITING, MAX_WAITING_BYTES, NodeAway, NodeRpc


@contextmanager
def node(answer: bytes) -> Iterator[tuple[NodeRpc, list[dict[str, object]]]]:
    """A node that gives this answer to everything, and what it was asked."""
    asked: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    rpc = NodeRpc(f"http://127.0.0.1:{server.server_address[1]}")
    try:
        yield rpc, asked
    finally:
        rpc.close()
        server.shutdown()
        server.server_close()


def mempool(*transactions: bytes) -> bytes:
    texts = [base64.b64encode(raw).decode() for raw in transactions]
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"txs": texts}}).encode()


def test_transactions_that_wait_are_read_oldest_first():
    with node(mempool(b"first", b"second")) as (rpc, asked):
        assert rpc.waiting() == [b"first", b"second"]
    assert (asked[0]["method"], asked[0]["params"]) == (
        "unconfirmed_txs",
        {"limit": str(MAX_WAITING)},
    )


def test_no_more_are_taken_than_were_asked_for():
    with node(mempool(*[b"%d" % number for number in range(MAX_WAITING + 1)])) as (rpc, _):
        assert len(rpc.waiting()) == MAX_WAITING


@pytest.mark.parametrize(
    "answer",
    [
        b'{"result": {}}',
        b'{"result": {"txs": 7}}',
        b'{"result": {"txs": [7]}}',
        b'{"result": {"txs": ["?"]}}',
        b'{"error": {"code": -32603}}',
        b"not JSON",
        b" " * (MAX_WAITING_BYTES + 1),
    ],
)
def test_a_mempool_of_another_form_is_a_refusal(answer: bytes):
    with node(answer) as (rpc, _), pytest.raises(NodeAway):
        rpc.waiting()


def test_a_call_after_the_end_is_a_refusal():
    with node(mempool()) as (rpc, _):
        rpc.close()
        with pytest.raises(NodeAway):
            rpc.waiting()
