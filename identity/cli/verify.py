"""`cairn verify`: judge a credential from a file, trusting a pinned anchor and nobody else."""

import json
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console

from identity.adapters.bounded_fetch import AllowedPlace, BoundedFetcher
from identity.adapters.schema_files import load_catalogue, load_context_store
from identity.adapters.status_fetcher import CachingBatches, CachingStatusLists
from identity.adapters.verifier_ledger import VerifierLedger
from identity.adapters.web_documents import FetchedWebDocuments
from identity.adapters.web_names import DocumentNames
from identity.cli.remote_registry import followed_beside
from identity.core.verification.case import World
from identity.core.verification.policy import for_credentials, strict_policy
from identity.core.verification.verdict import Verdict
from identity.installation.parties import read_trust_anchor
from identity.verifier.evidence import EvidenceReader
from identity.verifier.ports import OlderThanSeen
from identity.verifier.records import RecordJudge, take_credential
from registry.client import HttpTransport, RegistryClient
from registry.core.encoding import parse_json_object
from registry.core.receipt import AnchorReceipt, parse_receipt
from registry.core.refusals import Malformed, Refusal

MAX_FILE_BYTES = 1 << 20
LOOPBACK = ("127.0.0.0/8", "::1/128")


def verify(
    file: Annotated[Path, typer.Argument(help="SD-JWT VC, W3C credential or presentation")],
    base: Annotated[str, typer.Option(help="Installation to ask for proofs and lists")] = (
        "http://127.0.0.1:8000"
    ),
    trust: Annotated[Path, typer.Option(help="Pinned trust anchor")] = Path(
        "data/public/trust-anchor.json"
    ),
    receipt: Annotated[Path | None, typer.Option(help="Anchor receipt that came along")] = None,
    network: Annotated[
        list[str] | None, typer.Option(help="Networks the installation may lie in")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON")] = False,
) -> None:
    """Print every named check; exit code 1 when the answer is no.

    Whoever stands at the counter is not proven to be the subject: that takes a presentation made
    for the one who asks, which `cairn request` and the scanning page are for.
    """
    verdict = _judge(
        read_presented(file), base=base, trust=trust, receipt=receipt, networks=network or LOOPBACK
    )
    if as_json:
        typer.echo(json.dumps(verdict.to_json(), ensure_ascii=False, indent=2))
    else:
        _print(verdict)
    if not verdict.is_verified:
        raise typer.Exit(1)


class SeenNothing:
    """The memory of somebody who asks for the first time: no version is older than another."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def remember(self, uri: str, version: int) -> None:
        """As `SeenVersions.remember`, for the life of this command."""
        if version < self._seen.setdefault(uri, version):
            raise OlderThanSeen("a newer version of this status list was seen before")
        self._seen[uri] = version


def _judge(
    value: object,
    *,
    base: str,
    trust: Path,
    receipt: Path | None,
    networks: tuple[str, ...] | list[str],
) -> Verdict:
    anchor = read_trust_anchor(trust)
    catalogue = load_catalogue(f"{base}/schemas")
    transport = HttpTransport(base)
    store = followed_beside(trust, anchor)
    registry = RegistryClient(
        transport, anchor, time.monotonic, random=secrets.token_bytes, store=store
    )
    ledger = VerifierLedger(registry)
    parts = urlsplit(base)
    fetcher = BoundedFetcher(
        [AllowedPlace(origin=f"{parts.scheme}://{parts.netloc}", networks=tuple(networks))],
        clock=time.monotonic,
    )
    judge = RecordJudge(
        evidence=EvidenceReader(
            registry=ledger,
            status_lists=CachingStatusLists(
                local=_nothing_local, remote=fetcher, clock=time.monotonic
            ),
            batches=CachingBatches(local=_nothing_local, remote=fetcher),
            seen_versions=SeenNothing(),
            catalogue=catalogue,
            web_names=DocumentNames(
                FetchedWebDocuments(
                    local=lambda url, accept: (
                        fetcher.get(url, accept=accept) if url.startswith(f"{base}/") else None
                    ),
                    remote=fetcher,
                    public_base_url=base,
                    clock=time.monotonic,
                )
            ),
        ),
        world=World(contexts=load_context_store(catalogue), catalogue=catalogue, trust=anchor),
        trust=lambda: registry.trust,
    )
    now, policy = datetime.now(UTC), for_credentials(strict_policy("command line"))
    try:
        if isinstance(value, dict) and "VerifiablePresentation" in str(value.get("type")):
            return judge.judge_presentation(value, policy=policy, binding={}, now=now)
        return judge.judge(
            lambda: take_credential(value),
            stapled=_read_receipt(receipt),
            policy=policy,
            binding={},
            now=now,
        )
    finally:
        transport.close()
        if store is not None:
            store.close()


def read_presented(file: Path) -> object:
    """An SD-JWT text, or a JSON object; `{"credential": …}` as issuers answer is unwrapped."""
    if not file.is_file():
        raise Malformed(f"there is no file {file.name}")
    if file.stat().st_size > MAX_FILE_BYTES:
        raise Malformed(f"the file is longer than {MAX_FILE_BYTES} bytes")
    data = file.read_bytes().strip()
    if not data.startswith(b"{"):
        try:
            return data.decode("ascii")
        except UnicodeDecodeError as error:
            raise Malformed("the file is neither JSON nor an SD-JWT") from error
    found = parse_json_object(data)
    for wrapper in ("credential", "verifiableCredential", "verifiablePresentation"):
        if wrapper in found and "@context" not in found:
            return found[wrapper]
    return found


def _read_receipt(path: Path | None) -> AnchorReceipt | Refusal | None:
    if path is None:
        return None
    try:
        return parse_receipt(parse_json_object(path.read_bytes()))
    except OSError:
        return Malformed("the receipt file cannot be read")
    except Refusal as refusal:
        return refusal


def _print(verdict: Verdict) -> None:
    console = Console(highlight=False)
    colours = {"passed": "green", "failed": "red", "not_applicable": "dim"}
    for item in verdict.to_json()["checks"]:
        colour = colours[item["outcome"]]
        console.print(
            f"[{colour}]{item['outcome']:<15}[/{colour}] {item['check']:<15} "
            f"{item['reason']:<24} {item.get('detail', '')}",
            soft_wrap=True,
        )
    console.print("[bold green]VERIFIED[/]" if verdict.is_verified else "[bold red]NOT VERIFIED[/]")


def _nothing_local(_url: str, _accept: str) -> bytes | None:
    return None
