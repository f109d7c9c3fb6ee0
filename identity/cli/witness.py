"""`cairn witness`: co-sign the heads of networks that somebody else operates."""

import secrets
import time
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from identity.adapters.key_files import KeyFile
from identity.adapters.secret_files import read_passphrase
from identity.config import Environment, KeySettings
from identity.installation.parties import HeadKey, read_trust_anchor
from identity.web import install_edge
from registry.core.cosignature import witness_key
from registry.core.keys import KeyType
from registry.core.refusals import Malformed
from registry.witness.routes import create_app
from registry.witness.service import Witness
from registry.witness.store import WitnessStore

KEYS = {"cosignature": KeyType.ED25519}  # signs co-signatures and nothing else


class WitnessSettings(BaseModel):
    """All settings of a witness; the file's table is `[witness]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=255)]  # as trust anchors name it
    trust: tuple[Path, ...] = ()  # trust anchors of the networks it witnesses
    data: Path = Path("witness-data")  # key file and the last heads
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8100
    passphrase_file: Path | None = None  # opens the key file; mode 0600; not set: made in `data`
    requests_per_minute: Annotated[int, Field(ge=0)] = 600  # per client address; 0 = no limit


def witness(
    config: Annotated[Path | None, typer.Option(help="TOML file with a table [witness]")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the witness, over the file's")] = None,
    trust: Annotated[
        list[Path] | None, typer.Option(help="Trust anchor of a network, over the file's")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder for key and store")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on")] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="Opens the key file")] = None,
    show_key: Annotated[
        bool, typer.Option("--show-key", help="Print the key for trust anchors and exit")
    ] = False,
) -> None:
    """Serve POST /add-checkpoint (C2SP tlog-witness) for the networks of the trust anchors."""
    options = {
        "name": name,
        "trust": trust or None,
        "data": data,
        "host": host,
        "port": port,
        "passphrase_file": passphrase_file,
    }
    settings = load(config, {key: value for key, value in options.items() if value is not None})
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    signer = open_key(settings)
    if show_key:
        typer.echo(witness_key(signer.name, signer.key).text)
        return
    if not settings.trust:
        raise Malformed("configuration: trust: a witness needs the trust anchor of a network")
    store = WitnessStore(settings.data / "witness.db")
    try:
        made = Witness(
            logs=[read_trust_anchor(path) for path in settings.trust],
            signer=signer,
            store=store,
            now=lambda: int(time.time()),
        )
        typer.echo(made.key.text)
        app = create_app(made)
        install_edge(app, requests_per_minute=settings.requests_per_minute, https=False)
        uvicorn.run(
            app,
            host=settings.host,
            port=settings.port,
            access_log=False,
            server_header=False,
            log_level="warning",
        )
    finally:
        store.close()


def load(config: Path | None, options: dict[str, Any]) -> WitnessSettings:
    """The settings from the file, with the options over them.

    Raises:
        Malformed: no such file, no TOML, or a setting that is missing, unknown or wrong.
    """
    table: dict[str, Any] = {}
    if config is not None:
        try:
            with config.open("rb") as file:
                table = tomllib.load(file).get("witness", {})
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise Malformed(f"{config.name} cannot be read as TOML") from error
    try:
        return WitnessSettings.model_validate({**table, **options})
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        raise Malformed(f"configuration: {where}") from error


def open_key(settings: WitnessSettings) -> HeadKey:
    """The witness's key, made at the first start.

    Raises:
        Refusal: as `read_passphrase` and `KeyFile.open_or_create`.
    """
    passphrase = read_passphrase(
        KeySettings(passphrase_file=settings.passphrase_file),
        environment=Environment.DEMONSTRATION,  # without a passphrase file, one is made in `data`
        folder=settings.data,
        random=secrets.token_bytes,
    )
    keys = KeyFile.open_or_create(
        settings.data / "witness.keys",
        passphrase=passphrase,
        wanted=KEYS,
        random=secrets.token_bytes,
    )
    return HeadKey(settings.name, keys["cosignature"])
