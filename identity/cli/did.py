"""`cairn did`: a DID of one's own, with keys in key files, at any registry."""

import json
from pathlib import Path
from typing import Annotated

import typer

from identity.cli.remote_registry import (
    DEFAULT_BASE,
    DEFAULT_TRUST,
    Base,
    PassphraseFile,
    Trust,
    open_key_file,
    remote_registry,
)
from identity.installation.did_controller import DidController, NoSuchDid
from identity.installation.parties import AGENCY_KEYS
from registry.client import RegistryClient
from registry.core.did_document import did_document, document_metadata
from registry.core.did_record import DidRecord
from registry.core.key_forms import KEY_FORMS, MULTIKEY, in_form
from registry.core.keys import KeyType
from registry.core.refusals import Malformed

RECOVERY_KEYS = {"recovery": KeyType.ED25519}

app = typer.Typer(help="Create, rotate, deactivate and show DIDs.", no_args_is_help=True)

Did = Annotated[str, typer.Option(help="The did:cairn")]
Keys = Annotated[Path, typer.Option(help="Key file of the generation in use")]
Next = Annotated[
    Path | None,
    typer.Option("--next", help="Key file of the generation after; made here, kept elsewhere"),
]
Recovery = Annotated[Path | None, typer.Option(help="Key file of the recovery key")]


@app.command("create")
def create(
    keys: Keys,
    name: Annotated[list[str] | None, typer.Option(help="https URL or did:web of yours")] = None,
    following: Next = None,
    recovery: Recovery = None,
    base: Base = DEFAULT_BASE,
    trust: Trust = DEFAULT_TRUST,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make key files where there are none, create the DID, print it. Safe to repeat."""
    first = open_key_file(keys, passphrase_file, AGENCY_KEYS, make=True)
    second = (
        open_key_file(following, passphrase_file, AGENCY_KEYS, make=True) if following else None
    )
    spare = (
        open_key_file(recovery, passphrase_file, RECOVERY_KEYS, make=True)["recovery"]
        if recovery
        else None
    )
    with remote_registry(base, trust) as registry:
        typer.echo(
            DidController(registry).create(
                first, names=name or (), following=second, recovery=spare
            )
        )
    if second is None:
        typer.echo("no next keys: the thief of these could keep the DID (--next)", err=True)


@app.command("rotate")
def rotate(
    did: Did,
    to: Annotated[Path, typer.Option(help="Key file of the next generation")],
    keys: Annotated[Path | None, typer.Option(help="Key file of the generation in use")] = None,
    following: Next = None,
    recovery: Recovery = None,
    retire: Annotated[
        list[str] | None, typer.Option(help="Fragment of a credential key to drop now")
    ] = None,
    base: Base = DEFAULT_BASE,
    trust: Trust = DEFAULT_TRUST,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Replace the ledger key and bring in new credential keys; old ones stay until retired.

    Sign with the keys in use (--keys), or with the recovery key (--recovery) when they are lost.
    """
    if (keys is None) == (recovery is None):
        raise Malformed("sign with either --keys or --recovery")
    if keys is not None:
        signer = open_key_file(keys, passphrase_file, AGENCY_KEYS)["ledger"]
    else:
        assert recovery is not None
        signer = open_key_file(recovery, passphrase_file, RECOVERY_KEYS)["recovery"]
    # Committed keys exist already; a controller without commitments may make them here.
    new = open_key_file(to, passphrase_file, AGENCY_KEYS, make=True)
    after = open_key_file(following, passphrase_file, AGENCY_KEYS, make=True) if following else None
    with remote_registry(base, trust) as registry:
        record = DidController(registry).rotate(
            did, signer=signer, new=new, following=after, retired=retire or ()
        )
    _tell(record)


@app.command("deactivate")
def deactivate(
    did: Did,
    keys: Keys,
    base: Base = DEFAULT_BASE,
    trust: Trust = DEFAULT_TRUST,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Deactivate the DID. It cannot be undone."""
    signer = open_key_file(keys, passphrase_file, AGENCY_KEYS)["ledger"]
    with remote_registry(base, trust) as registry:
        _tell(DidController(registry).deactivate(did, signer=signer))


@app.command("show")
def show(
    did: Did,
    height: Annotated[int | None, typer.Option(min=0, help="As it was at this height")] = None,
    form: Annotated[str, typer.Option(help=f"Keys as {', '.join(KEY_FORMS)}")] = MULTIKEY,
    base: Base = DEFAULT_BASE,
    trust: Trust = DEFAULT_TRUST,
) -> None:
    """Print the document with its metadata, proven by the ledger and not only told by a node."""
    if form not in KEY_FORMS:
        raise Malformed(f"keys are shown as {', '.join(KEY_FORMS)}")
    with remote_registry(base, trust) as registry:
        record, following = _read(registry, did, height)
    answer = {
        "didDocument": in_form(did_document(record), form),
        "didDocumentMetadata": document_metadata(record, following=following),
    }
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))


def _read(
    registry: RegistryClient, did: str, height: int | None
) -> tuple[DidRecord, DidRecord | None]:
    newest = registry.did_record(did)
    if height is not None and height > registry.height():
        raise NoSuchDid("the ledger has not reached this height")
    record = newest if height is None else registry.did_record_at(did, height)
    if newest is None or record is None:
        raise NoSuchDid("the ledger has no such DID, or had none then")
    if record.version == newest.version:
        return record, None
    return record, registry.did_version(did, record.version + 1)


def _tell(record: DidRecord) -> None:
    typer.echo(
        f"{record.did} version {record.version} at height {record.height}"
        f"{', deactivated' if record.deactivated else ''}"
    )
