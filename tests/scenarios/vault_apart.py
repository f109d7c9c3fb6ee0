"""The vault as a process of its own, with its keys in a software token."""

import os
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from identity.adapters.remote_vault import RemoteVault, vault_client
from identity.adapters.secret_files import read_access_keys
from identity.installation.folder import DataFolder
from tests.scenarios.installation import ROOT
from tests.softhsm import PIN, SoftToken

START_SECONDS = 60.0


class VaultNotUp(Exception):
    """The process ended, or did not begin to answer; says what it printed."""


@dataclass
class VaultProcess:
    """`cairn vault serve`, on a socket in its folder."""

    folder: Path
    token: SoftToken | None = None
    pin: str = PIN
    _process: subprocess.Popen[bytes] | None = None
    clients: list[httpx2.Client] = field(default_factory=list)

    @property
    def data(self) -> DataFolder:
        return DataFolder(self.folder / "vault-data")

    @property
    def socket(self) -> Path:
        return self.folder / "v.sock"

    @property
    def keys(self) -> dict[str, str]:
        return dict(read_access_keys(self.data.secrets))

    @property
    def environment(self) -> dict[str, str]:
        """Of the process; also for the commands of its operators."""
        found = {name: value for name, value in os.environ.items() if name[:6] != "CAIRN_"}
        found["CAIRN_SERVER__LOG_FILE"] = str(self.folder / "vault.log")
        return found | (self.token.environment if self.token else {})

    def config(self) -> Path:
        """Written anew each time: the PIN may be another one."""
        text = (
            '[server]\nenvironment = "demonstration"\nservices = []\n'
            f'data_dir = "{self.data.root}"\n'
            f'[vault]\naddress = "unix:{self.socket}"\nofficers = ["ada", "bob", "eve"]\n'
        )
        if self.token is not None:
            pin_file = self.folder / "pin"
            pin_file.unlink(missing_ok=True)
            pin_file.touch(mode=0o600)
            pin_file.write_text(self.pin)
            text += (
                f'keys = "pkcs11"\npkcs11_module = "{self.token.module}"\n'
                f'pkcs11_token = "{self.token.label}"\npkcs11_pin_file = "{pin_file}"\n'
            )
        path = self.folder / "vault.toml"
        path.write_text(text, "utf-8")
        return path

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `cairn vault …` beside the process."""
        return subprocess.run(
            [sys.executable, "-m", "identity.cli", "vault", *arguments, *self._config_option()],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "vault-output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "identity.cli", "vault", "serve", *self._config_option()],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env=self.environment,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise VaultNotUp((self.folder / "vault-output.txt").read_text("utf-8")[-3000:])
            time.sleep(0.05)

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        self.clients.clear()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def vault(self) -> RemoteVault:
        """As the identity services see it."""
        return RemoteVault(self.client(), access_key=self.keys["vault:service"])

    def client(self) -> httpx2.Client:
        self.clients.append(vault_client(f"unix:{self.socket}"))
        return self.clients[-1]

    def officer(self, name: str, path: str, **body: str) -> httpx2.Response:
        """What an officer asks."""
        return self.client().post(
            f"/vault/looks{path}",
            json=body or None,
            headers={"Authorization": f"Bearer {self.keys[f'officer:{name}']}"},
        )

    def _config_option(self) -> tuple[str, str]:
        return "--config", str(self.config())

    def _answers(self) -> bool:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
            if probe.connect_ex(str(self.socket)) != 0:
                return False
        with suppress(httpx2.HTTPError), vault_client(f"unix:{self.socket}") as client:
            return client.get("/healthz").status_code in (200, 404)
        return False
