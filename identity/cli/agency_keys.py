"""`cairn issuer rotate-key`: the next JOSE key of an agency that is served from here."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from identity.adapters.secret_files import read_passphrase
from identity.cli.remote_registry import DEFAULT_BASE, Base, remote_registry
from identity.config import load_settings
from identity.installation.did_controller import DidController
from identity.installation.folder import DataFolder
from identity.installation.key_ring import KeyRing
from identity.installation.key_rotation import KeyRotation
from identity.installation.parties import AGENCY_KEYS, founded_did
from registry.core.refusals import NotFound


class NoAgencyKeys(NotFound):
    """The data folder holds no keys of that agency."""


def rotate_key(
    agency: Annotated[str, typer.Argument(help="Slug of the agency")],
    retire: Annotated[
        list[str] | None, typer.Option(help="Fragment of an earlier key that is listed no more")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with all settings")] = None,
    data: Annotated[Path, typer.Option(help="Data folder that holds the agency's keys")] = Path(
        "data"
    ),
    base: Base = DEFAULT_BASE,
    trust: Annotated[
        Path | None, typer.Option(help="Pinned trust anchor, over the data folder's")
    ] = None,
) -> None:
    """Replace the key that signs SD-JWT VCs, mdocs and JWTs; what it signed stays verifiable.

    Start the agency's processes anew afterwards, one after the other. Safe to repeat after an
    interruption.
    """
    folder = DataFolder(data)
    settings = load_settings(config, server={"data_dir": folder.root})
    passphrase = read_passphrase(
        settings.keys,
        environment=settings.server.environment,
        folder=folder.secrets,
        random=secrets.token_bytes,
    )
    ring = KeyRing(folder, passphrase, secrets.token_bytes)
    if not ring.holds(f"issuer-{agency}"):
        raise NoAgencyKeys(f"no keys of issuer:{agency} in {data}")
    did = founded_did(ring, f"issuer:{agency}")
    with remote_registry(base, trust or folder.trust_anchor) as registry:
        method = KeyRotation(ring, DidController(registry)).rotate(
            agency,
            did,
            ledger=ring.open(f"issuer-{agency}", AGENCY_KEYS)["ledger"],
            retired=tuple(retire or ()),
        )
    typer.echo(f"{method} signs from the next start on")
