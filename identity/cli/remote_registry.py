"""What commands share that speak with a registry: its address, the pinned anchor, key files."""

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from identity.adapters.key_files import KeyFile
from identity.cli.key_access import passphrase_of_file
from identity.installation.parties import read_trust_anchor
from registry.client import HttpTransport, RegistryClient
from registry.client.members import MembersTransport
from registry.client.transport import SUBMIT_SECONDS
from registry.client.trust_store import FileTrustStore, TrustStoreFailed
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.keys import KeyType
from registry.core.refusals import Malformed

Base = Annotated[
    str, typer.Option(help="Installation whose registry is asked; several members with commas")
]
Trust = Annotated[Path, typer.Option(help="Pinned trust anchor")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="Opens the key files; mode 0600. Or set CAIRN_KEYS__PASSPHRASE"),
]
DEFAULT_BASE = "http://127.0.0.1:8000"
DEFAULT_TRUST = Path("data/public/trust-anchor.json")


@contextmanager
def remote_registry(base: str, trust: Path) -> Iterator[RegistryClient]:
    """A client of the registry at `base`, which believes nothing that it cannot prove.

    Raises:
        Malformed: the address is none.
        NotFound: there is no trust anchor at that path.
    """
    addresses = base.split(",")
    if not all(address.startswith(("https://", "http://")) for address in addresses):
        raise Malformed("the address of the installation is no http or https URL")
    anchor = read_trust_anchor(trust)
    remotes = [HttpTransport(address, post_seconds=SUBMIT_SECONDS) for address in addresses]
    transport = remotes[0] if len(remotes) == 1 else MembersTransport(remotes)
    store = followed_beside(trust, anchor)
    try:
        yield RegistryClient(
            transport, anchor, time.monotonic, random=secrets.token_bytes, store=store
        )
    finally:
        for remote in remotes:
            remote.close()
        if store is not None:
            store.close()


def followed_beside(trust: Path, anchor: AnyTrustAnchor) -> FileTrustStore | None:
    """The file beside a pinned anchor in which a consortium is followed.

    None for an operator's anchor, and where no file can be written: then this run begins at the
    pinned anchor, and nothing is kept.
    """
    if not isinstance(anchor, ConsortiumAnchor):
        return None
    try:
        return FileTrustStore(trust.with_name(f"{trust.name}.followed.db"))
    except TrustStoreFailed:
        return None


def open_key_file(
    path: Path, passphrase_file: Path | None, wanted: Mapping[str, KeyType], *, make: bool = False
) -> KeyFile:
    """The key file at `path`.

    Args:
        make: make new keys when there is no such file.

    Raises:
        NotPermitted: no passphrase, a weak one, or a file that others can read.
        KeyFileNotOpened: the wrong passphrase, or another file.
        Malformed: there is no such file.
    """
    if not make and not path.exists():
        raise Malformed(f"there is no key file {path.name}")
    passphrase = passphrase_of_file(path, passphrase_file)
    if make:
        return KeyFile.open_or_create(
            path, passphrase=passphrase, wanted=wanted, random=secrets.token_bytes
        )
    return KeyFile.open(path, passphrase=passphrase, wanted=wanted)
