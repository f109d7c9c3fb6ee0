"""The RPC of a member's own node, on loopback: submitting, and what vouches for a head."""

import base64
from collections.abc import Mapping
from typing import Any

import httpx2

from registry.core.encoding import parse_json
from registry.core.fields import items
from registry.core.light_client.encodings import validators_hash
from registry.core.light_client.light_block import LightBlock, ValidatorSet
from registry.core.light_client.rpc_json import light_block_of_rpc
from registry.core.refusals import Malformed, Unavailable
from registry.core.transactions import MAX_TRANSACTION_BYTES

TIMEOUT_SECONDS = 5.0
MAX_ANSWER_BYTES = 1 << 20  # a commit of 128 validators has 50 kB
PER_PAGE = 100  # as many as the node gives at once
MAX_PAGES = 2
MAX_WAITING = 30  # transactions of the mempool in one answer
MAX_WAITING_BYTES = MAX_WAITING * (MAX_TRANSACTION_BYTES * 4 // 3 + 64) + 4096


class NodeAway(Unavailable):
    """The member's own node does not answer, or says that it cannot."""


class NodeRpc:
    """Calls of JSON-RPC; any number of threads."""

    def __init__(self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """
        Args:
            url: where the node listens, on this machine.
            timeout_seconds: patience with one call.
        """
        self._url = url
        limits = httpx2.Limits(max_connections=64, max_keepalive_connections=16)
        self._http = httpx2.Client(timeout=timeout_seconds, trust_env=False, limits=limits)
        self._validators: dict[bytes, list[object]] = {}  # by the hash in the header; the newest

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def height(self) -> int:
        """The newest height of the node's own blocks; 0 before the first.

        Raises:
            NodeAway: no answer.
        """
        sync = self._call("status", {}).get("sync_info")
        try:
            return int(sync["latest_block_height"])  # type: ignore[index]
        except (KeyError, TypeError, ValueError) as error:
            raise NodeAway("the node's status is of another form") from error

    def broadcast(self, raw: bytes) -> None:
        """Give a transaction to the node, after its check and before any block.

        What the check said is known to the application, which is in this process.

        Raises:
            NodeAway: the node did not take it, or has it already.
        """
        self._call("broadcast_tx_sync", {"tx": base64.b64encode(raw).decode("ascii")})

    def waiting(self) -> list[bytes]:
        """The oldest transactions that wait for a block at this node, at most `MAX_WAITING`.

        Raises:
            NodeAway: no answer.
        """
        answer = self._call("unconfirmed_txs", {"limit": str(MAX_WAITING)}, most=MAX_WAITING_BYTES)
        try:
            return [base64.b64decode(text, validate=True) for text in answer["txs"]][:MAX_WAITING]
        except (KeyError, TypeError, ValueError) as error:
            raise NodeAway("the node's mempool is of another form") from error

    def light_block(self, height: int) -> LightBlock:
        """Header, commit and validators of a height, as the node has them.

        Raises:
            NodeAway: the node does not have it (yet), or answers in another form.
        """
        try:
            signed = self._call("commit", {"height": str(height)}).get("signed_header")
            header = signed["header"]  # type: ignore[index]
            digest = bytes.fromhex(header["validators_hash"])
            validators = self._validators.get(digest)
            if validators is None:
                validators = self._validators_at(height)
            block = light_block_of_rpc(signed, validators)
        except (KeyError, TypeError, ValueError, Malformed) as error:
            raise NodeAway(f"the node has no sound light block of height {height}") from error
        if block.header.height != height or _digest(block.validators) != digest:
            raise NodeAway(f"the node has no sound light block of height {height}")
        self._validators = {digest: validators}
        return block

    def ask(self, method: str, params: Mapping[str, str]) -> bytes:
        """The node's answer to a question of somebody else, as it came.

        Raises:
            NodeAway: no answer.
        """
        return self._post(method, params)

    def _validators_at(self, height: int) -> list[object]:
        found: list[object] = []
        for page in range(1, MAX_PAGES + 1):
            answer = self._call(
                "validators",
                {"height": str(height), "page": str(page), "per_page": str(PER_PAGE)},
            )
            found += items(
                answer.get("validators"),
                "validators",
                low=0,
                high=PER_PAGE,
                read=lambda item: item,
            )
            if len(found) >= int(str(answer.get("total"))):
                break
        return found

    def _call(
        self, method: str, params: Mapping[str, str], *, most: int = MAX_ANSWER_BYTES
    ) -> dict[str, Any]:
        try:
            answer = parse_json(self._post(method, params, most=most))
        except Malformed as error:
            raise NodeAway(f"the node's answer to {method} is no JSON") from error
        if not isinstance(answer, dict) or not isinstance(answer.get("result"), dict):
            raise NodeAway(f"the node refuses {method}")
        result: dict[str, Any] = answer["result"]
        return result

    def _post(
        self, method: str, params: Mapping[str, str], *, most: int = MAX_ANSWER_BYTES
    ) -> bytes:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": dict(params)}
        try:
            with self._http.stream("POST", self._url, json=body) as response:
                data = bytearray()
                for part in response.iter_bytes():
                    data += part
                    if len(data) > most:
                        raise NodeAway(f"the node's answer to {method} is too long")
        except (httpx2.HTTPError, RuntimeError) as error:  # RuntimeError: we have closed meanwhile
            raise NodeAway(f"the node does not answer ({type(error).__name__})") from error
        return bytes(data)


def _digest(validators: ValidatorSet) -> bytes:
    return validators_hash(validators)
