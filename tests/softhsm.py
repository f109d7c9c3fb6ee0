"""A software token for tests: one for each test process, in a folder that goes with it."""

import atexit
import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pkcs11
from pkcs11 import Attribute, ObjectClass

from identity.adapters.vault_token import TokenVaultKeys

PIN = "471108152342"
_PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
)


class NoSoftHsm(Exception):
    """SoftHSM is not on this machine."""


@dataclass(frozen=True, slots=True)
class SoftToken:
    """A token, where it lies, and the environment in which a process finds it."""

    folder: Path
    module: Path
    label: str

    @property
    def environment(self) -> dict[str, str]:
        """For processes that use the token."""
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    def keys(self, **changes: object) -> TokenVaultKeys:
        """The vault's view of it."""
        given: dict[str, object] = {
            "module": self.module,
            "token_label": self.label,
            "pin": lambda: PIN,
            "random": secrets.token_bytes,
        }
        return TokenVaultKeys(**{**given, **changes})  # type: ignore[arg-type]

    def emptied(self) -> "SoftToken":
        """Without any key."""
        with (
            pkcs11.lib(str(self.module))
            .get_token(token_label=self.label)
            .open(rw=True, user_pin=PIN) as session
        ):
            for key in list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY})):
                key.destroy()
        return self


def new_token(folder: Path) -> SoftToken:
    """Make a token in `folder`; for processes that are started later.

    Raises:
        NoSoftHsm: apt-get install softhsm2.
    """
    module = next((Path(place) for place in _PLACES if Path(place).exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        raise NoSoftHsm("softhsm2 is not on this machine")
    tokens = folder / "tokens"
    tokens.mkdir(parents=True, mode=0o700)
    (folder / "softhsm2.conf").write_text(
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    label = "vault-" + secrets.token_hex(4)
    token = SoftToken(folder=folder, module=module, label=label)
    subprocess.run(
        (f"softhsm2-util --init-token --free --label {label} --so-pin {PIN} --pin {PIN}").split(),
        check=True,
        env={**os.environ, **token.environment},
        stdout=subprocess.DEVNULL,
    )
    return token


@cache
def this_process_token() -> SoftToken:
    """The token of this test process; the library reads its configuration once."""
    folder = Path(tempfile.mkdtemp(prefix="cairn-hsm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    token = new_token(folder)
    os.environ.update(token.environment)
    return token
