"""Reads documents that this very process publishes, without a socket."""

from urllib.parse import urlsplit

from registry.client import Transport
from registry.core.refusals import NotFound, Unavailable


class OwnDocumentMissing(NotFound):
    """The URL is under our own base, and nothing is published there."""


class OwnDocuments:
    """Answers for URLs under our own public base; None for everybody else's."""

    def __init__(self, transport: Transport, *, public_base_url: str) -> None:
        """
        Args:
            transport: to the application that serves them.
            public_base_url: what their URLs begin with, without a trailing slash.
        """
        self._transport = transport
        self._base = public_base_url + "/"
        self._prefix = urlsplit(public_base_url).path

    def __call__(self, url: str, _accept: str) -> bytes | None:
        """The body at `url`, or None when the URL is not ours.

        Raises:
            OwnDocumentMissing: ours, and nothing is there.
            Unavailable: ours, and it does not answer now.
        """
        if not url.startswith(self._base):
            return None
        answer = self._transport.get(url.removeprefix(self._base[: -1 - len(self._prefix)]))
        if answer.status == 404:
            raise OwnDocumentMissing("nothing is published under this address")
        if answer.status != 200:
            raise Unavailable(f"our own document answers {answer.status}")
        return answer.body
