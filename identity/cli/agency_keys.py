"""`cairn issuer rotate-key`, `withdraw-keys`: JOSE keys of an agency that is served from here."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from identity.cli.key_access import ring_of_folder
from identity.cli.remote_registry import DEFAULT_BASE, Base, remote_registry
from identity.installation.did_controller import DidController
from identity.installation.folder import DataFolder
from identity.installation.key_ring import KeyRing
from identity.installation.key_rotation import KeyRotation
from identity.installation.parties import AGENCY_KEYS, founded_did
from registry.core.refusals import NotFound


class NoAgencyKeys(NotFound):
    """The data folder holds no keys of that agency."""


Agency = Annotated[str, typer.Argument(help="Slug of the agency")]
Config = Annotated[Path | None, typer.Option(help="TOML file with all settings")]
Data = Annotated[Path, typer.Option(help="Data folder that holds the agency's keys")]
Trust = Annotated[Path | None, typer.Option(help="Pinned trust anchor, over the data folder's")]


def rotate_key(
    agency: Agency,
    retire: Annotated[
        list[str] | None, typer.Option(help="Fragment of an earlier key that is listed no more")
    ] = None,
    retire_newest_too: Annotated[
        bool, typer.Option(help="Even the key that signs until the processes are started anew")
    ] = False,
    config: Config = None,
    data: Data = Path("data"),
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
) -> None:
    """Replace the key that signs SD-JWT VCs, mdocs and JWTs; what it signed stays verifiable.

    Start the agency's processes anew afterwards, one after the other. Safe to repeat after an
    interruption.
    """
    with _open(agency, config, data, base, trust) as at:
        method = at.rotation.rotate(
            agency,
            at.did,
            ledger=at.ring.open(f"issuer-{agency}", AGENCY_KEYS)["ledger"],
            retired=tuple(retire or ()),
            newest_too=retire_newest_too,
        )
    typer.echo(f"{method} signs from the next start on")


def withdraw_keys(
    agency: Agency,
    config: Config = None,
    data: Data = Path("data"),
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
) -> None:
    """Take keys that the ledger lists no more, or calls stolen, out of what verifiers are told.

    For when somebody else said so on the ledger. Start the agency's processes anew afterwards.
    """
    with _open(agency, config, data, base, trust) as at:
        gone = at.rotation.withdraw(agency, at.did)
    typer.echo(f"told of no more from the next start on: {', '.join(gone) or 'none'}")


@dataclass(frozen=True, slots=True)
class _Desk:
    ring: KeyRing
    did: str
    rotation: KeyRotation


@contextmanager
def _open(
    agency: str, config: Path | None, data: Path, base: str, trust: Path | None
) -> Iterator[_Desk]:
    folder = DataFolder(data)
    ring = ring_of_folder(config, folder)
    if not ring.holds(f"issuer-{agency}"):
        raise NoAgencyKeys(f"no keys of issuer:{agency} in {data}")
    did = founded_did(ring, f"issuer:{agency}")
    with remote_registry(base, trust or folder.trust_anchor) as registry:
        yield _Desk(ring, did, KeyRotation(ring, DidController(registry)))
