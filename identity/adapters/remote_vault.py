"""The vault in a process of its own, over its Unix socket or loopback.

Its refusals come back as the refusals they are. Whatever else happens on the way is
`VaultUnreachable`: 503, and nothing was read here. No call is repeated: whoever asked knows better.
"""

from collections.abc import Collection, Sequence
from typing import Any

import httpx2

from identity.vault.ports import (
    IdentifierTaken,
    IndexKeyChanged,
    KeysUnavailable,
    NothingSealed,
    Registration,
    VaultNotAudited,
    VaultRolledBack,
    VaultRowChanged,
    VaultRowNotOpened,
)
from identity.vault.records import AuditRecord
from registry.core.encoding import base64url_decode, base64url_encode, parse_json_object
from registry.core.refusals import Malformed, Refusal, Unavailable

CALL_SECONDS = 15.0  # a token may take five, a database as long again
MAX_ANSWER_BYTES = 1 << 20  # the largest row, in base64url, and room

_REFUSALS: dict[str, type[Refusal]] = {
    "identifier-taken": IdentifierTaken,
    "index-key-changed": IndexKeyChanged,
    "keys-unavailable": KeysUnavailable,
    "malformed": Malformed,
    "nothing-sealed": NothingSealed,
    "vault-not-audited": VaultNotAudited,
    "vault-rolled-back": VaultRolledBack,
    "vault-row-changed": VaultRowChanged,
    "vault-row-not-opened": VaultRowNotOpened,
}


class VaultUnreachable(Unavailable):
    """The vault's process does not answer, or answers something else."""


class RemoteVault:
    """Keeps the promises of `IdentityVault` by asking the process that keeps them."""

    def __init__(self, client: httpx2.Client, *, access_key: str) -> None:
        """Speak through `client`, as `vault_client` makes it, with the key of `vault:service`."""
        self._client = client
        self._headers = {"Authorization": f"Bearer {access_key}", "Accept-Encoding": "identity"}

    def seal(self, *, owner: str, kind: str, data: bytes) -> str:
        """As `Vault.seal`."""
        answer = self._asked("seal", owner=owner, kind=kind, data=base64url_encode(data))
        return _text(answer, "ref")

    def seal_once(
        self,
        *,
        identifier: bytes,
        owner: str,
        kind: str,
        data: bytes,
        likeness: Sequence[bytes] = (),
        distinct_from: Collection[str] = (),
    ) -> Registration:
        """As `IdentityVault.seal_once`."""
        answer = self._asked(
            "seal-once",
            identifier=base64url_encode(identifier),
            owner=owner,
            kind=kind,
            data=base64url_encode(data),
            likeness=[base64url_encode(value) for value in likeness],
            distinct_from=sorted(distinct_from),
        )
        new, similar = answer.get("new"), answer.get("similar")
        if not isinstance(new, bool) or not isinstance(similar, list):
            raise VaultUnreachable("the vault answered something else")
        return Registration(ref=_text(answer, "ref"), new=new, similar=tuple(map(str, similar)))

    def find(self, identifier: bytes) -> str | None:
        """As `IdentityVault.find`."""
        answer = self._asked("find", identifier=base64url_encode(identifier))
        return None if answer.get("ref") is None else _text(answer, "ref")

    def open(self, ref: str, *, purpose: str, actor: str) -> bytes:
        """As `Vault.open`."""
        answer = self._asked("open", ref=ref, purpose=purpose, actor=actor)
        return base64url_decode(_text(answer, "data"))

    def replace(self, ref: str, *, data: bytes, likeness: Sequence[bytes] | None = None) -> None:
        """As `IdentityVault.replace`."""
        alike = None if likeness is None else [base64url_encode(value) for value in likeness]
        self._asked("replace", ref=ref, data=base64url_encode(data), likeness=alike)

    def attach(self, ref: str, *, identifier: bytes) -> None:
        """As `IdentityVault.attach`."""
        self._asked("attach", ref=ref, identifier=base64url_encode(identifier))

    def merge(self, ref: str, *, into: str) -> None:
        """As `IdentityVault.merge`."""
        self._asked("merge", ref=ref, into=into)

    def separate(self, ref: str, *, merged_into: str) -> str:
        """As `IdentityVault.separate`."""
        return _text(self._asked("separate", ref=ref, merged_into=merged_into), "ref")

    def forget(self, ref: str) -> None:
        """As `Vault.forget`."""
        self._asked("forget", ref=ref)

    def opened_since(self, time: int) -> list[AuditRecord]:
        """Reads at or after `time`, oldest first; ask again from the last one's time."""
        records = self._asked("opened", since=time).get("records")
        if not isinstance(records, list):
            raise VaultUnreachable("the vault answered something else")
        try:
            return [AuditRecord(**record) for record in records]
        except TypeError as error:
            raise VaultUnreachable("the vault answered something else") from error

    def _asked(self, call: str, **body: Any) -> dict[str, Any]:
        try:
            with self._client.stream(
                "POST", f"/vault/{call}", json=body, headers=self._headers
            ) as response:
                content = bytearray()
                for chunk in response.iter_raw():
                    content += chunk
                    if len(content) > MAX_ANSWER_BYTES:
                        raise VaultUnreachable("the vault's answer is too long")
                status = response.status_code
            answer = parse_json_object(bytes(content), max_bytes=MAX_ANSWER_BYTES)
        except (httpx2.HTTPError, Malformed):
            # No cause and no text: what went wrong may quote what was sent.
            raise VaultUnreachable("the vault does not answer now") from None
        if status in (200, 201):
            return answer
        kind = str(answer.get("type", "")).removeprefix("/problems/")
        refusal = _REFUSALS.get(kind)
        if refusal is None:
            raise VaultUnreachable("the vault refuses to serve this caller")
        raise refusal(str(answer.get("detail", "the vault refuses"))[:300])


def vault_client(address: str, *, call_seconds: float = CALL_SECONDS) -> httpx2.Client:
    """A client for `unix:/path/of/the.sock` or `http://127.0.0.1:port`; nothing from outside.

    Raises:
        Malformed: another kind of address; the vault is never asked over a network.
    """
    if address.startswith("unix:/"):
        return httpx2.Client(
            transport=httpx2.HTTPTransport(uds=address.removeprefix("unix:")),
            base_url="http://vault",
            timeout=call_seconds,
            trust_env=False,
        )
    if address.startswith(("http://127.0.0.1:", "http://[::1]:")):
        return httpx2.Client(base_url=address, timeout=call_seconds, trust_env=False)
    raise Malformed("vault.address is unix:/… or a port of 127.0.0.1")


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str):
        raise VaultUnreachable("the vault answered something else")
    return value
