"""`cairn stop-issuing`, `cairn resume`: stop an agency, or all, at once and at every instance."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from identity.adapters.issuer_stop_store import NoSuchStop, SqlStopStore
from identity.cli.remote_registry import PassphraseFile, open_key_file
from identity.config import Settings, load_settings
from identity.core.stopping import (
    EVERYBODY,
    RESUMERS,
    resumption_message,
    verify_resumption,
)
from identity.installation.databases import open_identity_database
from identity.installation.folder import DataFolder
from registry.core.encoding import base64url_encode
from registry.core.fields import token
from registry.core.identifiers import CODE
from registry.core.keys import KeyType, parse_multikey
from registry.core.refusals import Malformed, NotFound

OPERATOR_KEYS = {"resume": KeyType.ED25519}

Config = Annotated[Path | None, typer.Option(help="TOML file with all settings")]
Data = Annotated[Path | None, typer.Option(help="Data folder, over the settings'")]


class NoSuchAgency(NotFound):
    """The settings have no such agency."""


def stop_issuing(
    agency: Annotated[str | None, typer.Argument(help="Slug of the agency")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Every agency")] = False,
    reason: Annotated[str, typer.Option(help="A code, for the record")] = "incident",
    config: Config = None,
    data: Data = None,
) -> None:
    """Stop issuing now, at every instance. Revoking and anchoring go on. Safe to repeat."""
    if (agency is None) != everybody:
        raise Malformed("name an agency, or say --all")
    settings = _settings(config, data)
    if agency is not None and agency not in {item.slug for item in settings.agencies}:
        raise NoSuchAgency("the settings have no such agency")
    with _store(settings) as store:
        stop = store.begin(
            base64url_encode(secrets.token_bytes(16)),
            agency or EVERYBODY,
            reason=token(reason, "reason", CODE),
            now=int(time.time()),
        )
    typer.echo(f"{stop}  {agency or 'all agencies'} stopped; resuming takes {RESUMERS} people")


def stops(config: Config = None, data: Data = None) -> None:
    """Print the stops that hold."""
    with _store(_settings(config, data)) as store:
        for item in store.holding():
            typer.echo(
                f"{item.stop}  {item.scope}  {item.reason}  since {item.began}  "
                f"{item.resumed_by} of {RESUMERS} would resume"
            )


def resume(
    stop: Annotated[str, typer.Argument(help="Id of the stop")],
    keys: Annotated[Path, typer.Option(help="Your own key file")],
    config: Config = None,
    data: Data = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Say, with your own key, that issuing may go on; it does when the second person says so."""
    settings = _settings(config, data)
    private = open_key_file(keys, passphrase_file, OPERATOR_KEYS)["resume"]
    known = {item: parse_multikey(item) for item in settings.issuing.resumers}
    with _store(settings) as store:
        found = next((item for item in store.holding() if item.stop == stop), None)
        if found is None:
            raise NoSuchStop("no stop of that id holds")
        verify_resumption(
            stop=stop,
            scope=found.scope,
            multikey=private.key.multikey,
            signature=private.sign(resumption_message(stop, found.scope)),
            known=known,
        )
        done = store.resume(stop, private.key.multikey, now=int(time.time()))
    typer.echo("issuing goes on" if done else f"noted; {RESUMERS - 1} more person is needed")


def resumer_key(
    keys: Annotated[Path, typer.Option(help="Your own key file; made when it is not there")],
    passphrase_file: PassphraseFile = None,
) -> None:
    """Print the public half of your key, for `issuing.resumers` in the settings."""
    private = open_key_file(keys, passphrase_file, OPERATOR_KEYS, make=True)["resume"]
    typer.echo(private.key.multikey)


def _settings(config: Path | None, data: Path | None) -> Settings:
    return load_settings(config, **({} if data is None else {"server": {"data_dir": data}}))


@contextmanager
def _store(settings: Settings) -> Iterator[SqlStopStore]:
    engine = open_identity_database(settings, DataFolder(settings.server.data_dir))
    try:
        yield SqlStopStore(engine)
    finally:
        engine.dispose()
