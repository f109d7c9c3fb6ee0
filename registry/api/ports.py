"""What the registry's API needs of its surroundings, which the composition root supplies."""

from collections.abc import Mapping
from typing import Protocol


class WebDocuments(Protocol):
    """Fetches documents of `did:web`: our own without a connection, others from listed places."""

    def fetch(self, url: str) -> bytes:
        """The bytes at `url`, which is https and ends in `/did.json`.

        Raises:
            WebPlaceNotListed: the place is not listed; no connection was made.
            NotFound: the place is ours, and nothing is published there.
            Unavailable: no answer in time, or none that can be used.
        """
        ...


class LightBlocks(Protocol):
    """Light blocks of the engine; only the engine of a consortium has them."""

    def light_block(self, height: int | None) -> bytes:
        """The light block of an engine height, None for the newest that is committed.

        Returns:
            Bytes as `registry.core.light_client.encodings.light_block_bytes` writes them; settled,
            as `registry.core.light_client.commit.settled` does it.

        Raises:
            NotFound: that height is not reached, or not kept any more.
            Unavailable: the engine does not answer.
        """
        ...


class EngineRpc(Protocol):
    """The RPC of a member's own node, for the few questions that others may ask through it."""

    def ask(self, method: str, params: Mapping[str, str]) -> bytes:
        """The node's answer as JSON-RPC, whether it is a result or an error.

        Raises:
            Unavailable: the node does not answer.
        """
        ...


class SubmissionLimit(Protocol):
    """How many DIDs one client may create in a while; anybody may create one."""

    def admit(self, client: str) -> bool:
        """Count one attempt of `client`, a network address; False when it was one too many."""
        ...
