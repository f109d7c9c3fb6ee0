"""Our own documents, read without a socket: there, missing, broken, or somebody else's."""

import pytest

from identity.adapters.own_documents import OwnDocumentMissing, OwnDocuments
from registry.client import Answer
from registry.core.refusals import Unavailable

BASE = "https://id.example/cairn"


class OneAnswer:
    """A transport that gives one answer and notes what was asked."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.asked: list[str] = []

    def get(self, path: str) -> Answer:
        self.asked.append(path)
        return Answer(self.status, {}, b"body")

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        raise AssertionError("nothing is posted")


def test_a_document_of_ours_is_read_at_its_path():
    transport = OneAnswer(200)

    body = OwnDocuments(transport, public_base_url=BASE)(f"{BASE}/issuers/a/did.json", "*/*")

    assert body == b"body"
    assert transport.asked == ["/cairn/issuers/a/did.json"]


@pytest.mark.parametrize(
    "url", ["https://other.example/x", "https://id.example/cairnx", "https://id.example/"]
)
def test_what_is_not_ours_is_not_asked_for(url: str):
    transport = OneAnswer(200)

    assert OwnDocuments(transport, public_base_url=BASE)(url, "*/*") is None
    assert transport.asked == []


def test_what_is_not_there_is_missing_and_what_fails_is_unavailable():
    with pytest.raises(OwnDocumentMissing):
        OwnDocuments(OneAnswer(404), public_base_url=BASE)(f"{BASE}/x", "*/*")
    with pytest.raises(Unavailable):
        OwnDocuments(OneAnswer(503), public_base_url=BASE)(f"{BASE}/x", "*/*")
