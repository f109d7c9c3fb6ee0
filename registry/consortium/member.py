"""One member of a consortium, running: its node, its application, its registry over HTTP.

The order of the start: the program's version, the guard against voting twice, the application's
socket, the node, and, once there is a signed head, the registry. The node and the application live
and die together, for neither can go on without the other.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import uvicorn

from registry.api.app import create_app
from registry.api.submission_limit import NewDidLimit
from registry.client.transport import HttpTransport
from registry.consortium.agreement import Agreement, StateDiffers
from registry.consortium.anchor import first_anchor, served_anchor
from registry.consortium.folder import MemberFolder, write_document
from registry.consortium.guard import verify_key_may_sign
from registry.consortium.peer import Peer
from registry.consortium.relay import Relay
from registry.consortium.rotation import next_key, use_next_key
from registry.core.any_trust_anchor import AnyTrustAnchor, parse_trust_anchor, trust_anchor_json
from registry.core.encoding import parse_json_object
from registry.core.refusals import Refusal, Unavailable
from registry.ledger.comet import CometLedger
from registry.ledger.comet.binary import find_cometbft, verify_version
from registry.ledger.comet.node_files import (
    DOUBLE_SIGN_HEIGHTS,
    LOCAL,
    SOCKET,
    NodeSettings,
    StateSync,
    Timeouts,
    read_node_id,
    read_signed_height,
    read_validator_key,
    write_config,
    write_genesis,
)
from registry.ledger.comet.process import NodeProcess

LOOK_SECONDS = 0.1
PEER_SECONDS = 2.0  # patience with another member
PEERS_AT_ONCE = 16
API_SECONDS = 20.0


class MemberStopped(Unavailable):
    """The member stopped for good, for the reason given; starting it again changes nothing."""


class NodeEnded(Unavailable):
    """The node's process ended; its log says why, and it may be started again."""


class MemberProcess:
    """Node, application and registry of one member, in one folder."""

    def __init__(
        self,
        folder: MemberFolder,
        *,
        version: str,
        tools: Path | None = None,
        tell: Callable[[str], None],
        snapshot: Callable[[], StateSync] | None = None,
    ) -> None:
        """
        Args:
            folder: of the member; see `folder.py`.
            version: of this software.
            tools: where `make cometbft` puts the program.
            tell: what the operator should read.
            snapshot: which snapshot to join from, while the ledger is empty.
        """
        self._folder = folder
        self._settings = folder.settings()
        self._genesis = folder.genesis()
        self._version = version
        self._tell = tell
        self._snapshot = snapshot
        self._places = () if tools is None else (tools,)
        self._ledger: CometLedger | None = None
        self._node: NodeProcess | None = None
        self._api: _Api | None = None
        self._stopped: str | None = None
        self._ending = threading.Event()
        self._parent = os.getppid()

    @property
    def ledger(self) -> CometLedger:
        """The member's ledger, between `start` and `stop`."""
        assert self._ledger is not None
        return self._ledger

    def start(self) -> None:
        """Start everything but the registry, which `run` serves once there is a signed head.

        Raises:
            Refusal: the program is missing or too old, the key must not sign, or the ledger cannot
                be opened; nothing runs then.
        """
        folder, settings = self._folder, self._settings
        program = find_cometbft(*self._places)
        verify_version(program)
        peers = self._others()
        self._ledger = CometLedger.open(
            folder.ledger,
            genesis=self._genesis,
            socket=folder.node / SOCKET,
            rpc_url=f"http://127.0.0.1:{settings.rpc_port}",
            version=self._version,
            retain_blocks=settings.retain_blocks,
            snapshot_interval=settings.snapshot_interval,
            on_stop=self._on_stop,
        )
        try:
            if use_next_key(folder, self._ledger.validator_keys()):
                self._tell(f"{settings.name}: signs with its new validator key from now on")
            key = read_validator_key(folder.node)
            own = [self._ledger.head()] if self._ledger.health().size else []
            verify_key_may_sign(
                key,
                remembered=read_signed_height(folder.node),
                heads=[*own, *_heads_of(peers)],
                light_blocks=_newest_blocks_of(peers),
            )
            write_genesis(folder.node, self._genesis)
            write_config(folder.node, self._node_settings(peers, is_empty=not own))
            self._node = NodeProcess(program, folder.node, log=folder.logs / "node.log")
        except BaseException:
            self.stop()
            raise

    def run(self) -> None:
        """Serve until `end` is called.

        Raises:
            MemberStopped: the application stopped for good.
            NodeEnded: the node ended.
        """
        assert self._node is not None
        others = self._others()
        agreement = Agreement(
            [partial(_head_of, peer.api) for peer in others],
            roots=tuple(member.did for member in self._genesis.members),
        )
        relay = Relay([partial(_give, peer.api) for peer in others], self.ledger.rpc.waiting)
        while not self._ending.wait(LOOK_SECONDS):
            if self._settings.local and os.getppid() != self._parent:
                return  # whoever ran the demonstration is gone, and nobody would end its members
            if self._stopped is not None:
                raise MemberStopped(self._stopped)
            if not self._node.is_running:
                time.sleep(LOOK_SECONDS)  # the application may be about to say why
                if self._stopped is not None:
                    raise MemberStopped(self._stopped)
                raise NodeEnded(f"the node ended with code {self._node.exit_code}")
            if self._api is None and self.ledger.health().size:
                self._serve()
            self._look_for_agreement(agreement)
            relay.look(self.ledger.engine_height, clock=time.monotonic())
            if (waiting := next_key(self._folder)) and waiting in self.ledger.validator_keys():
                raise NodeEnded("the members voted for the next validator key; starting with it")

    def end(self) -> None:
        """Let `run` return."""
        self._ending.set()

    def stop(self) -> None:
        """End all parts; nothing of them runs when this returns."""
        if self._api is not None:
            self._api.close()
        if self._node is not None:
            self._node.stop()
        if self._ledger is not None:
            self._ledger.close()
        self._api = self._node = self._ledger = None

    def _serve(self) -> None:
        settings = self._settings
        app = create_app(
            self.ledger,
            served_anchor(self._anchor(), self.ledger.light_block, clock=time.time),
            light_blocks=self.ledger,
            engine_rpc=self.ledger.rpc,
            new_dids=NewDidLimit(settings.new_dids_per_hour)
            if settings.new_dids_per_hour
            else None,
        )
        self._api = _Api(app, settings.api_host, settings.api_port)
        height = self.ledger.health().height
        self._tell(f"{settings.name}: at height {height}, registry at {self._api.url}")

    def _anchor(self) -> AnyTrustAnchor:
        """What this member hands out for others to pin; from the genesis, unless one lies there."""
        path = self._folder.trust_anchor_file
        if path.exists():
            return parse_trust_anchor(parse_json_object(path.read_bytes()))
        anchor = first_anchor(self._genesis, self.ledger.head(0))
        write_document(path, trust_anchor_json(anchor))
        return anchor

    def _node_settings(self, peers: list[Peer], *, is_empty: bool) -> NodeSettings:
        settings = self._settings
        joins = settings.state_sync and is_empty and self._snapshot is not None
        return NodeSettings(
            name=f"{settings.name[:60].encode('ascii', 'replace').decode()}",
            rpc_port=settings.rpc_port,
            p2p_listen=settings.p2p_listen,
            p2p_external=settings.p2p_external,
            peers=tuple(peer.persistent for peer in peers),
            timeouts=LOCAL if settings.local else Timeouts(),
            local=settings.local,
            # A node without a ledger knows nothing of what its key has signed. With one, the guard
            # above has looked, and this check would keep it from coming back to a quiet network.
            double_sign_heights=DOUBLE_SIGN_HEIGHTS if is_empty else 0,
            state_sync=self._snapshot() if joins and self._snapshot else None,
        )

    def _others(self) -> list[Peer]:
        own = read_node_id(self._folder.node)
        return [peer for peer in self._folder.peers() if peer.node_id != own]

    def _look_for_agreement(self, agreement: Agreement) -> None:
        ledger = self.ledger
        try:
            agreement.look(
                ledger.waiting_head(),
                newest=ledger.head() if ledger.health().size else None,
                now=int(time.time()),
                clock=time.monotonic(),
            )
        except StateDiffers as differs:
            raise MemberStopped(differs.detail) from differs

    def _on_stop(self, reason: str) -> None:
        if not self._ending.is_set():
            self._stopped = reason


def _heads_of(peers: list[Peer]) -> list[str]:
    """The newest heads of the members that answer; unverified."""
    if not peers:
        return []
    with ThreadPoolExecutor(min(len(peers), PEERS_AT_ONCE)) as pool:
        found = pool.map(lambda peer: _head_of(peer.api, None), peers)
        return [head for head in found if head is not None]


def _newest_blocks_of(peers: list[Peer]) -> list[bytes]:
    """The newest light blocks of the members that answer; unverified."""

    def newest(peer: Peer) -> bytes | None:
        transport = HttpTransport(peer.api, timeout_seconds=PEER_SECONDS)
        try:
            answer = transport.get("/registry/light-blocks/latest")
            return answer.body if answer.status == 200 else None
        except Refusal:
            return None
        finally:
            transport.close()

    if not peers:
        return []
    with ThreadPoolExecutor(min(len(peers), PEERS_AT_ONCE)) as pool:
        return [block for block in pool.map(newest, peers) if block is not None]


def _give(api: str, raw: bytes) -> None:
    """Submit somebody's transaction to another member; its node has it when this returns."""
    transport = HttpTransport(api, timeout_seconds=PEER_SECONDS)
    try:
        transport.post("/registry/transactions", raw)
    finally:
        transport.close()


def _head_of(api: str, height: int | None) -> str | None:
    """A head of another member, by default its newest; unverified, None when there is none."""
    transport = HttpTransport(api, timeout_seconds=PEER_SECONDS)
    try:
        answer = transport.get(f"/registry/head{'' if height is None else f'?height={height}'}")
        return answer.body.decode("utf-8", errors="replace") if answer.status == 200 else None
    except Refusal:
        return None
    finally:
        transport.close()


class _Api:
    """The registry of this member behind a listening socket, on a thread of its own."""

    def __init__(self, app: object, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise MemberStopped(f"port {port} on {host} is taken") from error
        self.url = f"http://{host}:{port}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,  # type: ignore[arg-type]
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=3,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="member-http", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + API_SECONDS
        while not self._server.started and self._thread.is_alive():
            if time.monotonic() > deadline:
                raise MemberStopped("the registry did not start to answer")
            time.sleep(0.01)

    def close(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(API_SECONDS)
        self._socket.close()
