"""`cairn retention`: the clock for people, by hand. `cairn vault retention` is the vault's own."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from identity.cli.key_access import passphrase_of_folder
from identity.config import Settings, load_settings
from identity.installation.databases import open_identity_database
from identity.installation.folder import DataFolder
from identity.installation.retention import build_people_retention
from identity.installation.vault_process import open_vault, reach_vault
from identity.vault.ports import IdentityVault


def retention(
    destroy: Annotated[
        bool, typer.Option("--destroy", help="Destroy it; else only say what is past its term")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="TOML file with all settings")] = None,
    data: Annotated[Path | None, typer.Option(help="Data folder, over the file's")] = None,
) -> None:
    """What of people is past its term, as the settings have it; --destroy destroys it."""
    server: dict[str, object] = {} if data is None else {"data_dir": data}
    settings = load_settings(config, server=server)
    folder = DataFolder(settings.server.data_dir)
    folder.make()
    engine = open_identity_database(settings, folder)
    now = int(time.time())
    try:
        with _vault(settings, folder) as vault:
            clock = build_people_retention(settings.retention, engine=engine, vault=vault)
            past = clock.destroy(now=now) if destroy else clock.due(now=now)
    finally:
        engine.dispose()
    typer.echo(
        f"{'destroyed' if destroy else 'past their term'}: rows of {past.deceased} dead people, "
        f"{past.cases} cases of the review queue"
    )


@contextmanager
def _vault(settings: Settings, folder: DataFolder) -> Iterator[IdentityVault]:
    """The vault where the settings say it is."""
    if settings.vault.address is not None:
        remote, client = reach_vault(settings.vault, folder)
        try:
            yield remote
        finally:
            client.close()
        return
    parts = open_vault(
        settings,
        folder,
        passphrase=passphrase_of_folder(settings, folder),
        random=secrets.token_bytes,
        now=lambda: int(time.time()),
    )
    try:
        yield parts.vault
    finally:
        parts.close()
