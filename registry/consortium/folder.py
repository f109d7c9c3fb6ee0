"""What lies where in a member's folder, and the settings that are its own."""

from dataclasses import dataclass
from pathlib import Path

from registry.consortium.peer import Peer, parse_peers, peers_json
from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.fields import boolean, integer, members, text
from registry.core.genesis import Genesis, parse_genesis
from registry.core.network_record import MAX_NAME_CHARS
from registry.core.refusals import Malformed, NotFound

MAX_ADDRESS_CHARS = 300


class NoMemberHere(NotFound):
    """The folder is not that of a member, or not complete; the detail says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSettings:
    """What one member decides for itself."""

    name: str
    rpc_port: int  # of its node, on loopback
    p2p_listen: str  # host:port
    p2p_external: str  # host:port that others reach; empty when it is the same
    api_host: str
    api_port: int
    local: bool = False  # all members on this machine: a demonstration
    retain_blocks: int = 0  # how many blocks the node keeps; 0 for all
    state_sync: bool = False  # join from a snapshot, while the ledger is empty
    snapshot_interval: int = 100  # heights of the ledger between snapshots for those who join
    new_dids_per_hour: int = 120  # that one network address may create; 0 for no limit

    def to_object(self) -> JsonObject:
        """The JSON form."""
        return {
            "name": self.name,
            "rpc_port": self.rpc_port,
            "p2p_listen": self.p2p_listen,
            "p2p_external": self.p2p_external,
            "api_host": self.api_host,
            "api_port": self.api_port,
            "local": self.local,
            "retain_blocks": self.retain_blocks,
            "state_sync": self.state_sync,
            "snapshot_interval": self.snapshot_interval,
            "new_dids_per_hour": self.new_dids_per_hour,
        }

    @classmethod
    def parse(cls, value: object) -> "MemberSettings":
        """Read the JSON form.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(
            value,
            "settings of a member",
            required=("name", "rpc_port", "p2p_listen", "p2p_external", "api_host", "api_port"),
            optional=(
                "local",
                "retain_blocks",
                "state_sync",
                "snapshot_interval",
                "new_dids_per_hour",
            ),
        )
        return cls(
            name=text(found["name"], "name", high=MAX_NAME_CHARS),
            rpc_port=_port(found["rpc_port"]),
            p2p_listen=text(found["p2p_listen"], "p2p_listen", high=MAX_ADDRESS_CHARS),
            p2p_external=_address(found["p2p_external"]),
            api_host=text(found["api_host"], "api_host", high=MAX_ADDRESS_CHARS),
            api_port=_port(found["api_port"]),
            local=boolean(found.get("local", False), "local"),
            retain_blocks=integer(found.get("retain_blocks", 0), "retain_blocks"),
            state_sync=boolean(found.get("state_sync", False), "state_sync"),
            snapshot_interval=integer(
                found.get("snapshot_interval", 100), "snapshot_interval", low=1
            ),
            new_dids_per_hour=integer(found.get("new_dids_per_hour", 120), "new_dids_per_hour"),
        )


@dataclass(frozen=True, slots=True)
class MemberFolder:
    """Paths below one folder, readable by its owner only."""

    root: Path

    @property
    def settings_file(self) -> Path:
        """This member's own settings."""
        return self.root / "member.json"

    @property
    def genesis_file(self) -> Path:
        """The genesis that all members agreed to."""
        return self.root / "genesis.json"

    @property
    def peers_file(self) -> Path:
        """Where the other members are."""
        return self.root / "peers.json"

    @property
    def trust_anchor_file(self) -> Path:
        """What readers of this network pin."""
        return self.root / "trust-anchor.json"

    @property
    def contribution_file(self) -> Path:
        """What this member brings to the founding."""
        return self.root / "contribution.json"

    @property
    def keys(self) -> Path:
        """Encrypted key files: what votes on the ledger."""
        return self.root / "keys"

    @property
    def node(self) -> Path:
        """The home of the CometBFT node, with the key that votes on blocks."""
        return self.root / "node"

    @property
    def ledger(self) -> Path:
        """The ledger file."""
        return self.root / "ledger" / "ledger.db"

    @property
    def logs(self) -> Path:
        """Logs of node and application."""
        return self.root / "logs"

    def make(self) -> None:
        """Make the folders."""
        for folder in (self.root, self.keys, self.node, self.ledger.parent, self.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def settings(self) -> MemberSettings:
        """Read the settings.

        Raises:
            NoMemberHere: there are none.
            Malformed: they are not of their form.
        """
        return MemberSettings.parse(_read(self.settings_file))

    def genesis(self) -> Genesis:
        """Read the genesis.

        Raises:
            NoMemberHere: there is none.
            Malformed: it is none.
        """
        return parse_genesis(_read(self.genesis_file))

    def peers(self) -> tuple[Peer, ...]:
        """Read the peers.

        Raises:
            NoMemberHere: there is no list of them.
            Malformed: it is none.
        """
        return parse_peers(_read(self.peers_file).get("peers"))

    def write_settings(self, settings: MemberSettings) -> None:
        """Write the settings."""
        write_document(self.settings_file, settings.to_object())

    def write_network(self, genesis: Genesis, peers: tuple[Peer, ...]) -> None:
        """Write what all members agreed to."""
        write_document(self.genesis_file, genesis.to_object())
        write_document(self.peers_file, {"peers": peers_json(peers)})


def write_document(path: Path, document: JsonObject) -> None:
    """Replace a file whole."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(canonical_json(document) + b"\n")
    fresh.replace(path)


def _read(path: Path) -> JsonObject:
    try:
        return parse_json_object(path.read_bytes())
    except OSError as error:
        raise NoMemberHere(f"{path.name} is missing in {path.parent.name}") from error


def _port(value: object) -> int:
    return integer(value, "port", low=1, high=65_535)


def _address(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_ADDRESS_CHARS:
        raise Malformed("p2p_external is no address")
    return value
