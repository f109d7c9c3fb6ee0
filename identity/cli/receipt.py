"""`cairn check-receipt` and `cairn follow`: what a reader offline needs of a ledger."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from identity.cli.remote_registry import DEFAULT_BASE, DEFAULT_TRUST, Base, Trust, remote_registry
from identity.cli.verify import read_presented
from identity.core.verification import presented
from identity.installation.parties import read_trust_anchor
from identity.verifier.records import take_credential
from registry.core.any_trust_anchor import trust_anchor_json
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.encoding import parse_json_object
from registry.core.fields import octets
from registry.core.proofs import HASH_BYTES, NotProven
from registry.core.receipt import parse_receipt, verify_receipt
from registry.core.refusals import Conflict, Malformed, Refusal

MAX_RECEIPT_BYTES = 1 << 19  # a head of 128 KiB, with every byte escaped, and its proof


def check_receipt(
    receipt: Annotated[Path, typer.Argument(help="Anchor receipt")],
    credential: Annotated[
        Path | None, typer.Option(help="The credential that it is about, as it was issued")
    ] = None,
    digest: Annotated[
        str | None, typer.Option(help="Or its digest, base64url, computed by somebody else")
    ] = None,
    trust: Trust = DEFAULT_TRUST,
) -> None:
    """Say when the ledger anchored a credential, asking nobody; exit code 1 when not proven.

    It does not judge the credential: `cairn verify` does, and asks a registry for what is newer
    than the receipt.
    """
    anchor = read_trust_anchor(trust)
    expected = _digest(credential, digest)
    try:
        found = verify_receipt(
            parse_receipt(parse_json_object(_bytes(receipt), max_bytes=MAX_RECEIPT_BYTES)),
            digest=expected,
            anchor=anchor,
            now=int(time.time()),
        )
    except (NotProven, Conflict, Malformed) as refusal:
        typer.echo(f"NOT PROVEN: {type(refusal).__name__}: {refusal.detail}")
        raise typer.Exit(1) from refusal
    typer.echo(
        f"anchored at height {found.height}, {datetime.fromtimestamp(found.time, UTC):%Y-%m-%d %T}"
        f"Z, by {found.issuer} as {', '.join(found.types)}; "
        f"proven by the head of height {found.head.height}"
    )


def follow(
    out: Annotated[Path, typer.Option(help="File for the anchor as it is now; replaced")],
    base: Base = DEFAULT_BASE,
    trust: Trust = DEFAULT_TRUST,
) -> None:
    """Follow a consortium's validators from a pinned anchor, and write where that leads.

    A reader who is offline takes the new file along; it is as good as the pinned one was.
    """
    with remote_registry(base, trust) as registry:
        head = registry.head()
        registry.follow()
        moved = registry.trust
    if not isinstance(moved, ConsortiumAnchor):
        raise Conflict("the trust anchor is an operator's; its keys do not change by themselves")
    partial = out.with_name(out.name + ".partial")
    partial.write_text(json.dumps(trust_anchor_json(moved), indent=2) + "\n", "utf-8")
    partial.replace(out)
    newest = moved.newest
    typer.echo(
        f"engine height {newest.height}, {len(newest.validators.validators)} validators, "
        f"ledger height {head.height}; written to {out.name}"
    )


def _digest(credential: Path | None, digest: str | None) -> bytes:
    if (credential is None) == (digest is None):
        raise Malformed("name either the credential or its digest")
    if credential is None:
        return octets(digest, "digest", size=HASH_BYTES)
    (unverified,) = take_credential(read_presented(credential))
    hints = presented.hints(unverified)
    if isinstance(hints.anchor, Refusal):
        raise hints.anchor
    return hints.digest


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_RECEIPT_BYTES:
            raise Malformed(f"the receipt is longer than {MAX_RECEIPT_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise Malformed(f"there is no file {path.name} that can be read") from error
