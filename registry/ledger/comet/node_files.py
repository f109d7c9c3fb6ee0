"""The files of a CometBFT node: keys, genesis, configuration. What is not set keeps its default.

All paths are below one folder, the node's home. Written by us and not by `cometbft init`, so that
keys can be made, and a ceremony held, where no node is installed.
"""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.core.encoding import base64_decode, parse_json_object
from registry.core.genesis import Genesis
from registry.core.hashing import sha256
from registry.core.keys import KeyType, PublicKey, public_key
from registry.core.refusals import Malformed, Unavailable
from registry.core.transactions import MAX_TRANSACTION_BYTES
from registry.core.validators import POWER

SOCKET = "abci.sock"  # in the node's home, where both processes look for it
MAX_BLOCK_BYTES = 4 << 20
EVIDENCE_DAYS = 100  # longer than readers trust a header, so that a fork can still be proven
DOUBLE_SIGN_HEIGHTS = 20  # looked back, where a node cannot know what its key has signed

_PRIVATE = "tendermint/PrivKeyEd25519"
_PUBLIC = "tendermint/PubKeyEd25519"


class NodeFilesBroken(Unavailable):
    """A file of the node is missing or not of its form; the detail names it."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Of consensus, in milliseconds. The first are for a network inside one country."""

    propose: int = 1_000  # how long a dead proposer holds a round up
    propose_delta: int = 500
    vote: int = 500
    vote_delta: int = 250
    commit: int = 100  # between blocks; transactions gather meanwhile


LOCAL = Timeouts(propose=600, propose_delta=300, vote=300, vote_delta=150, commit=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSync:
    """Where to join from a snapshot, and the header that is trusted beforehand."""

    rpc_servers: tuple[str, ...]  # two or more, of different members
    trust_height: int
    trust_hash: str  # hexadecimal
    trust_hours: int = 168


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """What differs between nodes."""

    name: str
    rpc_port: int  # on loopback, always
    p2p_listen: str  # host:port
    p2p_external: str = ""  # host:port that others reach, when another
    peers: tuple[str, ...] = ()  # node-id@host:port, kept connected
    timeouts: Timeouts = field(default_factory=Timeouts)
    local: bool = False  # all nodes on one machine: private addresses are good ones
    double_sign_heights: int = 0  # heights looked back for votes of this key; 0 for none
    state_sync: StateSync | None = None


def make_key(folder: Path, seed: bytes) -> PublicKey:
    """Write a validator key that nobody else has seen, and its state: nothing signed yet.

    Args:
        folder: the node's home.
        seed: 32 random bytes.

    Raises:
        FileExistsError: there is a key; it is not overwritten.
    """
    private = Ed25519PrivateKey.from_private_bytes(seed)
    data = private.public_key().public_bytes_raw()
    document = {
        "address": address_of(data),
        "pub_key": {"type": _PUBLIC, "value": _base64(data)},
        "priv_key": {"type": _PRIVATE, "value": _base64(seed + data)},
    }
    _write(folder / "config" / "priv_validator_key.json", document)
    _write(folder / "data" / "priv_validator_state.json", {"height": "0", "round": 0, "step": 0})
    return public_key(KeyType.ED25519, data)


def make_node_key(folder: Path, seed: bytes) -> str:
    """Write the key by which peers know this node; its node id.

    Raises:
        FileExistsError: there is one.
    """
    data = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    document = {"priv_key": {"type": _PRIVATE, "value": _base64(seed + data)}}
    _write(folder / "config" / "node_key.json", document)
    return address_of(data).lower()


def read_validator_key(folder: Path) -> PublicKey:
    """The public half of the node's validator key.

    Raises:
        NodeFilesBroken: there is none, or others may read it.
    """
    path = folder / "config" / "priv_validator_key.json"
    try:
        if path.stat().st_mode & 0o077:
            raise NodeFilesBroken(f"{path.name} can be read by others; make it 0600")
        document = parse_json_object(path.read_bytes())
        return public_key(KeyType.ED25519, base64_decode(document["pub_key"]["value"]))
    except (OSError, Malformed, KeyError, TypeError) as error:
        raise NodeFilesBroken(f"{path.name} is missing or damaged") from error


def read_node_id(folder: Path) -> str:
    """The node id that peers know this node by.

    Raises:
        NodeFilesBroken: there is no node key.
    """
    path = folder / "config" / "node_key.json"
    try:
        document = parse_json_object(path.read_bytes())
        return address_of(base64_decode(document["priv_key"]["value"])[32:]).lower()
    except (OSError, Malformed, KeyError, TypeError) as error:
        raise NodeFilesBroken(f"{path.name} is missing or damaged") from error


def read_signed_height(folder: Path) -> int:
    """The greatest height at which the validator key has signed, as the node remembers.

    Raises:
        NodeFilesBroken: the file is missing or damaged.
    """
    path = folder / "data" / "priv_validator_state.json"
    try:
        return int(parse_json_object(path.read_bytes())["height"])
    except (OSError, Malformed, KeyError, TypeError, ValueError) as error:
        raise NodeFilesBroken(f"{path.name} is missing or damaged") from error


def write_genesis(folder: Path, genesis: Genesis) -> None:
    """Write the engine's genesis, which follows from ours alone: every member writes the same.

    Raises:
        Malformed: no member of the genesis has a validator key.
    """
    (folder / "config").mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "config" / "genesis.json").write_text(
        json.dumps(engine_genesis(genesis), indent=1, ensure_ascii=False) + "\n", "utf-8"
    )


def engine_genesis(genesis: Genesis) -> dict[str, Any]:
    """The engine's genesis as a JSON object.

    Raises:
        Malformed: no member of the genesis has a validator key.
    """
    validators = [
        {
            "address": address_of(member.validator_key.data),
            "pub_key": {"type": _PUBLIC, "value": _base64(member.validator_key.data)},
            "power": str(POWER),
            "name": "",
        }
        for member in genesis.members
        if member.validator_key is not None
    ]
    if not validators:
        raise Malformed("a consortium needs a member with a validator key")
    created = datetime.fromtimestamp(genesis.created, UTC)
    return {
        "genesis_time": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "chain_id": genesis.network,
        "initial_height": "1",
        "consensus_params": {
            "block": {"max_bytes": str(MAX_BLOCK_BYTES), "max_gas": "-1"},
            "evidence": {
                "max_age_num_blocks": "100000",
                "max_age_duration": str(EVIDENCE_DAYS * 86_400 * 10**9),
                "max_bytes": "1048576",
            },
            "validator": {"pub_key_types": ["ed25519"]},
            "version": {},
            "abci": {"vote_extensions_enable_height": "0"},
        },
        "validators": validators,
        "app_hash": "",
        "app_state": genesis.to_object(),
    }


def write_config(folder: Path, settings: NodeSettings) -> None:
    """Write the node's configuration."""
    (folder / "config").mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "data").mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = []
    for section, values in _config(settings).items():
        if section:
            lines.append(f"\n[{section}]")
        lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    (folder / "config" / "config.toml").write_text("\n".join(lines) + "\n", "utf-8")


def address_of(key: bytes) -> str:
    """The address of an Ed25519 key, in capital hexadecimal."""
    return sha256(key)[:20].hex().upper()


def _config(settings: NodeSettings) -> Mapping[str, Mapping[str, object]]:
    timeouts, sync = settings.timeouts, settings.state_sync
    return {
        "": {
            "proxy_app": f"unix://{SOCKET}",
            "moniker": settings.name,
            "log_format": "json",
            "log_level": "error" if settings.local else "info",
        },
        "rpc": {
            # Nobody but this machine may ask it: it has no authentication.
            "laddr": f"tcp://127.0.0.1:{settings.rpc_port}",
            "pprof_laddr": "",
            "max_body_bytes": 2 * MAX_TRANSACTION_BYTES,
        },
        "p2p": {
            "laddr": f"tcp://{settings.p2p_listen}",
            "external_address": settings.p2p_external,
            "persistent_peers": ",".join(settings.peers),
            "persistent_peers_max_dial_period": "2s" if settings.local else "10s",
            "addr_book_strict": False,  # members may well meet in a network of private addresses
            "allow_duplicate_ip": settings.local,
            "pex": True,
            "flush_throttle_timeout": "5ms" if settings.local else "20ms",
            "send_rate": 20 << 20,
            "recv_rate": 20 << 20,
        },
        "mempool": {
            "recheck": False,  # FinalizeBlock refuses what has become wrong; twice is waste
            "size": 20_000,
            "cache_size": 40_000,
            "max_tx_bytes": MAX_TRANSACTION_BYTES,
            "max_txs_bytes": 128 << 20,
        },
        "statesync": {
            "enable": sync is not None,
            **(
                {
                    "rpc_servers": ",".join(sync.rpc_servers),
                    "trust_height": sync.trust_height,
                    "trust_hash": sync.trust_hash,
                    "trust_period": f"{sync.trust_hours}h0m0s",
                    "discovery_time": "5s",
                }
                if sync
                else {}
            ),
        },
        "consensus": {
            "timeout_propose": f"{timeouts.propose}ms",
            "timeout_propose_delta": f"{timeouts.propose_delta}ms",
            "timeout_prevote": f"{timeouts.vote}ms",
            "timeout_prevote_delta": f"{timeouts.vote_delta}ms",
            "timeout_precommit": f"{timeouts.vote}ms",
            "timeout_precommit_delta": f"{timeouts.vote_delta}ms",
            "timeout_commit": f"{timeouts.commit}ms",
            "double_sign_check_height": settings.double_sign_heights,
            "create_empty_blocks": False,
            # Readers trust a header for a while only: a quiet ledger gives them a fresh one.
            "create_empty_blocks_interval": "1h",
            "peer_gossip_sleep_duration": "10ms" if settings.local else "50ms",
        },
        "storage": {"discard_abci_responses": True},
        "tx_index": {"indexer": "null"},
    }


def _write(path: Path, document: Mapping[str, object]) -> None:
    """Write a private file that must not exist yet."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        json.dump(document, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
