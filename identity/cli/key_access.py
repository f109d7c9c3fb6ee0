"""What opens key files for a command: those of a data folder, or a single one."""

import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from identity.adapters.passphrases import Passphrase
from identity.adapters.secret_files import read_passphrase
from identity.config import Environment, KeySettings, Settings, load_settings
from identity.installation.folder import DataFolder
from identity.installation.key_ring import KeyRing


def passphrase_of_folder(settings: Settings, folder: DataFolder) -> str:
    """The passphrase of an installation's key files.

    Raises:
        Refusal: as `read_passphrase`.
    """
    return read_passphrase(
        settings.keys,
        environment=settings.server.environment,
        folder=folder.secrets,
        random=secrets.token_bytes,
    )


def ring_of_folder(config: Path | None, folder: DataFolder) -> KeyRing:
    """The keys of a data folder, by the settings in `config` or the defaults.

    Raises:
        Refusal: as `load_settings` and `read_passphrase`.
    """
    settings = load_settings(config, server={"data_dir": folder.root})
    return KeyRing(folder, Passphrase(passphrase_of_folder(settings, folder)), secrets.token_bytes)


def passphrase_of_file(key_file: Path, passphrase_file: Path | None) -> str:
    """The passphrase of a single key file: from `passphrase_file`, else from the environment.

    Raises:
        Refusal: as `read_passphrase`; there is no default.
    """
    text = os.environ.get("CAIRN_KEYS__PASSPHRASE")
    return read_passphrase(
        KeySettings(
            passphrase=SecretStr(text) if text and passphrase_file is None else None,
            passphrase_file=passphrase_file,
        ),
        environment=Environment.PRODUCTION,
        folder=key_file.parent,
        random=secrets.token_bytes,
    )
