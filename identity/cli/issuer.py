"""`cairn issuer`: accredit an agency by its DID alone, whatever software it runs."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from identity.cli.agency_keys import rotate_key, withdraw_keys
from identity.cli.key_access import ring_of_folder
from identity.cli.remote_registry import (
    DEFAULT_BASE,
    Base,
    PassphraseFile,
    open_key_file,
    remote_registry,
)
from identity.core.signing import NamedSigner, PrivateKey
from identity.installation.accreditor import Accreditor, Change
from identity.installation.folder import DataFolder, read_document
from identity.installation.key_rotation import mark_stolen
from identity.installation.parties import AGENCY_KEYS, ROOT_KEYS
from registry.client import RegistryClient
from registry.core.accreditation_actions import (
    EndAccreditation,
    ReinstateAccreditation,
    SuspendAccreditation,
)
from registry.core.did import INVOCATION
from registry.core.genesis import parse_genesis
from registry.core.refusals import NotFound, NotPermitted

app = typer.Typer(help="Accredit agencies by their DIDs.", no_args_is_help=True)
app.command("rotate-key")(rotate_key)
app.command("withdraw-keys")(withdraw_keys)


class NoRootKey(NotPermitted):
    """The data folder holds no root member's key; accredit as an authority (--author, --keys)."""


class AuthorNotFound(NotFound):
    """The ledger has no such author, or it does not list the key of this file."""


Did = Annotated[str, typer.Option(help="The agency's did:cairn")]
Reason = Annotated[str, typer.Option(help="A code such as under-investigation; public for ever")]
Only = Annotated[
    str | None, typer.Option("--accreditation", help="One by its id; without it, all that fit")
]
Config = Annotated[Path | None, typer.Option(help="TOML file with all settings")]
Data = Annotated[Path, typer.Option(help="Data folder that holds the root member's key")]
AuthorDid = Annotated[
    str | None, typer.Option("--author", help="DID of the authority that signs; not set: the root")
]
AuthorKeys = Annotated[Path | None, typer.Option("--keys", help="Key file of that authority")]
Trust = Annotated[Path | None, typer.Option(help="Pinned trust anchor, over the data folder's")]


@app.command("accredit")
def accredit(
    did: Did,
    types: Annotated[str, typer.Option(help="Credential types, separated by commas")],
    role: Annotated[str, typer.Option(help="issuer, authority or registrar")] = "issuer",
    until_height: Annotated[int | None, typer.Option(min=0, help="Last height it counts")] = None,
    config: Config = None,
    data: Data = Path("data"),
    author: AuthorDid = None,
    keys: AuthorKeys = None,
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Accredit the DID and print the accreditation's id. Safe to repeat."""
    with _accreditor(config, data, author, keys, base, trust, passphrase_file) as accreditor:
        granted, new = accreditor.accredit(
            did,
            role=role,
            types=[item.strip() for item in types.split(",")],
            until_height=until_height,
        )
    known = "" if new else " (already)"
    typer.echo(f"{granted.id} {granted.role} from height {granted.from_height}{known}")


@app.command("suspend")
def suspend(
    did: Did,
    reason: Reason = "under-investigation",
    only: Only = None,
    config: Config = None,
    data: Data = Path("data"),
    author: AuthorDid = None,
    keys: AuthorKeys = None,
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """From now on the agency may not issue; what it issued before still verifies."""
    with _accreditor(config, data, author, keys, base, trust, passphrase_file) as accreditor:
        _change(accreditor, did, SuspendAccreditation, "suspended", reason, only)


@app.command("reinstate")
def reinstate(
    did: Did,
    reason: Reason = "investigation-closed",
    only: Only = None,
    config: Config = None,
    data: Data = Path("data"),
    author: AuthorDid = None,
    keys: AuthorKeys = None,
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """End a suspension."""
    with _accreditor(config, data, author, keys, base, trust, passphrase_file) as accreditor:
        _change(accreditor, did, ReinstateAccreditation, "reinstated", reason, only)


@app.command("end")
def end(
    did: Did,
    reason: Reason,
    only: Only = None,
    config: Config = None,
    data: Data = Path("data"),
    author: AuthorDid = None,
    keys: AuthorKeys = None,
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """End accreditations for good; the agency may still revoke what it issued."""
    with _accreditor(config, data, author, keys, base, trust, passphrase_file) as accreditor:
        _change(accreditor, did, EndAccreditation, "ended", reason, only)


@app.command("declare-stolen")
def declare_stolen(
    did: Did,
    fragment: Annotated[str, typer.Option(help="Name of the key in the DID, such as jose-1")],
    from_height: Annotated[
        int, typer.Option(min=0, help="From which height on it counts for none")
    ],
    reason: Reason = "key-stolen",
    config: Config = None,
    data: Data = Path("data"),
    author: AuthorDid = None,
    keys: AuthorKeys = None,
    base: Base = DEFAULT_BASE,
    trust: Trust = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """What the key signed and was anchored from that height on is refused everywhere.

    By whoever stands above the agency, or by the agency itself (--author with its own DID). Where
    its key files are elsewhere, `withdraw-keys` there takes the key out of `jwt-vc-issuer`.
    """
    with _accreditor(config, data, author, keys, base, trust, passphrase_file) as accreditor:
        height = accreditor.declare_stolen(
            did, fragment=fragment, from_height=from_height, reason=reason
        )
    typer.echo(f"{did}#{fragment} counts for nothing from height {from_height}; said at {height}")
    if mark_stolen(DataFolder(data), did, fragment):
        typer.echo("start the agency's processes anew: they still tell verifiers of that key")


def _change(
    accreditor: Accreditor, did: str, action: Change, done: str, reason: str, only: str | None
) -> None:
    for accreditation, height in accreditor.change(did, action, reason=reason, only=only):
        typer.echo(f"{accreditation.id} {done} at height {height}")


@contextmanager
def _accreditor(
    config: Path | None,
    data: Path,
    author: str | None,
    keys: Path | None,
    base: str,
    trust: Path | None,
    passphrase_file: Path | None,
) -> Iterator[Accreditor]:
    if (author is None) != (keys is None):
        raise NotPermitted("--author and --keys go together")
    folder = DataFolder(data)
    with remote_registry(base, trust or folder.trust_anchor) as registry:
        if author is not None and keys is not None:
            private = open_key_file(keys, passphrase_file, AGENCY_KEYS)["ledger"]
            signer = signer_of_author(registry, author, private)
        else:
            signer = signer_of_root(config, folder)
        yield Accreditor(registry, signer, secrets.token_bytes)


def signer_of_author(registry: RegistryClient, author: str, private: PrivateKey) -> NamedSigner:
    """The key under the fragment that the author's DID gives it.

    Raises:
        AuthorNotFound: the DID does not list it.
    """
    record = registry.did_record(author)
    for method in record.details.verification_methods if record else ():
        if method.key == private.key and method.purpose == INVOCATION:
            return NamedSigner(private, f"{author}#{method.fragment}")
    raise AuthorNotFound("the ledger does not list this key for that author")


def signer_of_root(config: Path | None, folder: DataFolder) -> NamedSigner:
    """The governance key of the data folder, as that of a root member of its genesis.

    Raises:
        NoRootKey: the folder holds none.
    """
    ring = ring_of_folder(config, folder)
    genesis = read_document(folder.genesis)
    if genesis is None or not ring.holds("root"):
        raise NoRootKey("this data folder holds no root member's key; use --author and --keys")
    governance = ring.open("root", ROOT_KEYS)["governance"]
    for member in parse_genesis(genesis).members:
        for number, key in enumerate(member.keys, start=1):
            if key == governance.key:
                return NamedSigner(governance, f"{member.did}#governance-{number}")
    raise NoRootKey("the root key of this data folder belongs to no member of its network")
