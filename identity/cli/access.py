"""`cairn access-key`: a new access key for an institution."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from identity.adapters.secret_files import issue_access_keys
from identity.config import Environment, load_settings
from identity.installation.folder import DataFolder
from registry.core.refusals import NotFound


class UnknownScope(NotFound):
    """The configuration has no such institution."""


def access_key(
    scope: Annotated[
        str, typer.Argument(help="issuer:SLUG, verifier:SLUG, officer:NAME, vault:service")
    ],
    config: Annotated[Path | None, typer.Option(help="TOML file with all settings")] = None,
) -> None:
    """Make a new access key and print it once; the earlier one stops working at the next start."""
    settings = load_settings(config)
    scopes = {f"issuer:{agency.slug}" for agency in settings.agencies}
    scopes |= {f"verifier:{verifier.slug}" for verifier in settings.verifiers}
    scopes |= {"vault:service", *(f"officer:{name}" for name in settings.vault.officers)}
    scopes |= {
        f"officer:{agency.slug}/{name}" for agency in settings.agencies for name in agency.officers
    }
    if scope not in scopes:
        raise UnknownScope(f"the configuration has no {scope}")
    folder = DataFolder(settings.server.data_dir)
    folder.make()
    keep = settings.server.environment is not Environment.PRODUCTION
    keys = issue_access_keys([scope], folder=folder.secrets, keep=keep, random=secrets.token_bytes)
    typer.echo(keys[scope])
