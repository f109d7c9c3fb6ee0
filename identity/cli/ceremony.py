"""`cairn consortium contribute`, `assemble`, `check`, `bundle`, `join`, `run`, `key`: for real.

Each institution runs these on a machine of its own. What leaves the folder is `contribution.json`
and the public bundle; no command reads another institution's key, and none asks for it.
"""

import secrets
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from identity.cli.remote_registry import PassphraseFile, open_key_file
from identity.consortium import GOVERNANCE_KEYS
from registry.client.transport import HttpTransport, NodeUnreachable
from registry.consortium.__main__ import main as run_member
from registry.consortium.bundle import NetworkBundle, parse_bundle
from registry.consortium.contribution import (
    Contribution,
    ContributionsDisagree,
    assemble,
    parse_contribution,
    sign_contribution,
)
from registry.consortium.folder import MemberFolder, MemberSettings, write_document
from registry.consortium.peer import Peer, read_api
from registry.consortium.rotation import make_next_key, next_key
from registry.consortium.validator import node_keys
from registry.core.consortium_anchor import (
    ConsortiumAnchor,
    consortium_anchor_json,
    parse_consortium_anchor,
)
from registry.core.encoding import parse_json_object
from registry.core.genesis import Genesis
from registry.core.refusals import Conflict, Malformed, NotFound
from registry.ledger.comet.node_files import read_validator_key

Data = Annotated[Path, typer.Option("--data", help="This member's folder")]
Name = Annotated[str, typer.Option(help="Name of the institution, as everybody will see it")]
Listen = Annotated[str, typer.Option(help="host:port where its node listens for other nodes")]
External = Annotated[str, typer.Option(help="host:port by which others reach its node")]
ApiListen = Annotated[str, typer.Option(help="host:port where its registry listens")]
RpcPort = Annotated[int, typer.Option(help="Port of the node's own RPC, on loopback")]
Local = Annotated[
    bool, typer.Option("--local", help="All nodes are on this machine; for trying things out")
]
DEFAULT = Path("member")
MAX_AHEAD_SECONDS = 600  # a network waits for the time of its genesis


class NotThisGenesis(Conflict):
    """The assembled genesis has another digest than the others have told."""


class OwnPartMissing(Conflict):
    """This member's own contribution is not among those that are assembled, or was changed."""


def contribute(
    network: Annotated[str, typer.Option(help="Name of the network")],
    name: Name,
    api: Annotated[str, typer.Option(help="Base URL at which everybody reaches its registry")],
    external: External,
    data: Data = DEFAULT,
    listen: Listen = "0.0.0.0:26656",
    api_listen: ApiListen = "127.0.0.1:8080",
    rpc_port: RpcPort = 26657,
    observer: Annotated[
        bool, typer.Option("--no-validator", help="A member without a vote on blocks")
    ] = False,
    local: Local = False,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make this institution's keys and sign what it brings to the founding."""
    folder = MemberFolder(data)
    folder.make()
    governance = open_key_file(
        folder.keys / "governance.keys", passphrase_file, GOVERNANCE_KEYS, make=True
    )["ledger"]
    node = node_keys(folder, secrets.token_bytes)
    folder.write_settings(_settings(name, listen, external, api_listen, rpc_port, local=local))
    signed = sign_contribution(
        Contribution(
            network=network,
            name=name,
            governance_keys=(governance.key,),
            validator_key=None if observer else node.key,
            peer=Peer(name=name, node_id=node.node_id, address=external, api=read_api(api)),
            made=int(time.time()),
        ),
        {governance.key: governance.sign, node.key: node.sign},
    )
    folder.contribution_file.write_bytes(signed.encode())
    typer.echo(f"wrote {folder.contribution_file}; give it to every other member")


def assemble_network(
    contributions: Annotated[list[Path], typer.Argument(help="contribution.json of every member")],
    data: Data = DEFAULT,
) -> None:
    """Make the genesis of all contributions; every member does this and compares the digest."""
    folder = MemberFolder(data)
    parsed = [parse_contribution(_read(path)) for path in contributions]
    if parse_contribution(_read(folder.contribution_file)) not in parsed:
        raise OwnPartMissing("this member's own contribution.json is not among them, unchanged")
    genesis, peers = assemble(parsed)
    if genesis.created > time.time() + MAX_AHEAD_SECONDS:
        raise ContributionsDisagree("a contribution is dated in the future: set that clock first")
    folder.write_network(genesis, peers)
    _tell(genesis)
    typer.echo("compare the digest with every other member before any node is started")


def check(
    data: Data = DEFAULT,
    digest: Annotated[
        str | None, typer.Option(help="Digest that another member told, in hexadecimal")
    ] = None,
) -> None:
    """Compare this member's genesis with what the others have, and with its own keys."""
    folder = MemberFolder(data)
    genesis = folder.genesis()
    _tell(genesis)
    if digest is not None and digest.strip().lower() != genesis.digest.hex():
        raise NotThisGenesis("the digests differ: somebody assembled other contributions")
    own = read_validator_key(folder.node)
    votes = any(member.validator_key == own for member in genesis.members)
    typer.echo(f"this node {'votes' if votes else 'does not vote'} on blocks from the beginning")


def bundle(
    out: Annotated[Path, typer.Option(help="File to write")],
    data: Data = DEFAULT,
) -> None:
    """Write what somebody needs to join, once the network runs; all of it is public."""
    folder = MemberFolder(data)
    made = NetworkBundle(folder.genesis(), folder.peers(), _anchor(folder))
    write_document(out, made.to_object())
    typer.echo(f"wrote {out}; genesis {made.genesis.digest.hex()}")


def join(
    bundle_file: Annotated[Path, typer.Argument(help="Bundle that a member wrote")],
    digest: Annotated[str, typer.Option(help="Digest of the genesis, told over another channel")],
    name: Name,
    external: External = "",
    data: Data = DEFAULT,
    listen: Listen = "0.0.0.0:26656",
    api_listen: ApiListen = "127.0.0.1:8080",
    rpc_port: RpcPort = 26657,
    replay: Annotated[
        bool, typer.Option("--replay", help="Replay every block, and trust no snapshot")
    ] = False,
    local: Local = False,
) -> None:
    """Make a node that follows the network without a vote; `run` starts it."""
    parsed = parse_bundle(_read(bundle_file))
    if digest.strip().lower() != parsed.genesis.digest.hex():
        raise NotThisGenesis("the bundle is of another genesis than the one that was told")
    folder = MemberFolder(data)
    folder.make()
    node = node_keys(folder, secrets.token_bytes)
    folder.write_settings(
        _settings(name, listen, external, api_listen, rpc_port, local=local, state_sync=not replay)
    )
    folder.write_network(parsed.genesis, parsed.peers)
    write_document(folder.trust_anchor_file, consortium_anchor_json(parsed.anchor))
    typer.echo(f"joined as an observer; run it with: cairn consortium run --data {data}")
    typer.echo("to become a member with a vote: create a DID, and ask a member to propose")
    typer.echo(f"  cairn member propose-admit DID NAME --validator-key {node.key.multikey}")


def run(data: Data = DEFAULT) -> None:
    """Run this member until SIGTERM: its node, its application, its registry."""
    sys.exit(run_member([str(data)]))


def key(
    data: Data = DEFAULT,
    following: Annotated[
        bool, typer.Option("--next", help="Make the key that is to replace it, once voted for")
    ] = False,
) -> None:
    """Print the key that signs blocks here, or make its successor."""
    folder = MemberFolder(data)
    if following:
        made = make_next_key(folder, secrets.token_bytes)
        typer.echo(f"next validator key {made.multikey}")
        typer.echo(f"propose it with: cairn member propose-key DID {made.multikey}")
        typer.echo("the member starts to sign with it by itself when the vote has passed")
        return
    typer.echo(f"validator key {read_validator_key(folder.node).multikey}")
    waiting = next_key(folder)
    if waiting is not None:
        typer.echo(f"next validator key {waiting.multikey}, waits for the vote")


def _settings(
    name: str, listen: str, external: str, api_listen: str, rpc_port: int, **more: bool
) -> MemberSettings:
    host, colon, port = api_listen.rpartition(":")
    if not colon or not port.isdecimal():
        raise Malformed("--api-listen is host:port")
    settings = MemberSettings(
        name=name,
        rpc_port=rpc_port,
        p2p_listen=listen,
        p2p_external=external,
        api_host=host.strip("[]"),
        api_port=int(port),
        **more,
    )
    return MemberSettings.parse(settings.to_object())


def _tell(genesis: Genesis) -> None:
    typer.echo(f"network {genesis.network}, genesis {genesis.digest.hex()}")
    for member in genesis.members:
        vote = "votes on blocks" if member.validator_key else "no vote on blocks"
        typer.echo(f"  {member.did}  {member.name}  {vote}")


def _anchor(folder: MemberFolder) -> ConsortiumAnchor:
    """The anchor that this member hands out now, or the first one while it does not run."""
    settings = folder.settings()
    transport = HttpTransport(f"http://{settings.api_host}:{settings.api_port}")
    try:
        answer = transport.get("/registry/trust-anchor")
        if answer.status == 200:
            return parse_consortium_anchor(parse_json_object(answer.body))
    except NodeUnreachable:
        pass
    finally:
        transport.close()
    try:
        return parse_consortium_anchor(parse_json_object(folder.trust_anchor_file.read_bytes()))
    except FileNotFoundError as error:
        raise NotFound("there is no trust anchor yet: the network has not begun") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"there is no file {path}") from error
