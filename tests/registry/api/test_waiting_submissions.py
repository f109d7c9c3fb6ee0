"""While transactions wait for a block that does not come, readers are answered all the same."""

import threading
from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from registry.api.app import create_app
from registry.api.forwarding import build_forwarding_router
from registry.api.routes import MAX_SUBMISSIONS
from registry.client import AsgiTransport
from registry.client.members import MembersTransport
from registry.client.transport import Answer
from registry.core.refusals import Unavailable
from registry.core.transaction_receipt import TransactionReceipt
from registry.ledger.embedded import EmbeddedLedger
from tests.registry.api.conftest import Registry
from tests.registry.authors import trust_anchor

READER_THREADS = 40  # as many as the server has for all routes together


class Halted:
    """The registry's ledger, when more than a third of the members are away."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self._ledger = ledger
        self.waiting = threading.Semaphore(0)
        self.over = threading.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    def submit(self, _raw: bytes) -> TransactionReceipt:
        self.waiting.release()
        assert self.over.wait(30)
        raise Unavailable("no block took the transaction in time; submit it again")


@pytest.fixture
def halted(registry: Registry) -> Iterator[Halted]:
    ledger = Halted(registry.ledger)
    yield ledger
    ledger.over.set()


def test_readers_do_not_wait_behind_submissions(halted: Halted) -> None:
    node = AsgiTransport(create_app(halted, trust_anchor()), timeout_seconds=20)  # type: ignore[arg-type]
    answers: list[Answer] = []
    submitters = [
        threading.Thread(target=lambda: answers.append(node.post("/registry/transactions", b"{}")))
        for _ in range(READER_THREADS + 10)
    ]
    for submitter in submitters:
        submitter.start()
    for _ in submitters:
        assert halted.waiting.acquire(timeout=20)  # each has a thread, and none comes free

    assert node.get("/registry/head").status == 200
    assert node.get("/registry/health").status == 200

    halted.over.set()
    for submitter in submitters:
        submitter.join()
    assert {answer.status for answer in answers} == {503}
    node.close()
    assert len(submitters) <= MAX_SUBMISSIONS


def test_passing_on_has_the_same_bound() -> None:
    class Silent:
        def get(self, path: str) -> Answer:
            return Answer(200, {"content-type": "text/plain"}, path.encode())

        def post(self, path: str, body: bytes, content_type: str = "") -> Answer:
            started.release()
            assert over.wait(30)
            return Answer(503, {}, b"")

    started, over = threading.Semaphore(0), threading.Event()
    app = FastAPI()
    app.include_router(build_forwarding_router(MembersTransport([Silent()])))
    node = AsgiTransport(app, timeout_seconds=20)
    submitters = [
        threading.Thread(target=lambda: node.post("/registry/transactions", b"{}"))
        for _ in range(READER_THREADS + 10)
    ]
    for submitter in submitters:
        submitter.start()
    for _ in submitters:
        assert started.acquire(timeout=20)

    assert node.get("/registry/head?height=3").body == b"/registry/head?height=3"

    over.set()
    for submitter in submitters:
        submitter.join()
    node.close()
