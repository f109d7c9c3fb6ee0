"""A network whose members all live on this machine: for demonstrations and for trying things out.

It is founded as a real one is, by contributions that are assembled; only that one hand makes all
keys, which is why nobody must mistake it for a consortium.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from registry.consortium.contribution import Contribution, Sign, assemble, sign_contribution
from registry.consortium.folder import MemberFolder, MemberSettings, write_document
from registry.consortium.peer import Peer
from registry.consortium.validator import node_keys
from registry.core.genesis import Genesis
from registry.core.keys import PublicKey
from registry.core.refusals import Conflict

MAX_LOCAL_MEMBERS = 16
LOOK_SECONDS = 0.1
LOOPBACK = "127.0.0.1"

# Who makes the governance key of a member: its name and folder -> its public key and its signer.
GovernanceKey = Callable[[str, MemberFolder], tuple[PublicKey, Sign]]


class NetworkExists(Conflict):
    """There is a network in this folder; it is not overwritten."""


@dataclass(frozen=True, slots=True)
class LocalNetwork:
    """The members' folders below one folder."""

    root: Path

    @property
    def pid_file(self) -> Path:
        """Where the process that runs the network leaves its id."""
        return self.root / "network.pid"

    @property
    def folders(self) -> list[MemberFolder]:
        """The members' folders, in their order; none before `found`."""
        found = sorted(self.root.glob("member-*/member.json"))
        return [MemberFolder(path.parent) for path in found]

    @property
    def exists(self) -> bool:
        """Whether a network was founded here."""
        return bool(self.folders)

    def apis(self) -> list[str]:
        """Base URLs of the members' registries."""
        return [api_of(folder.settings()) for folder in self.folders]


def found_locally(
    network: LocalNetwork,
    *,
    name: str,
    names: Sequence[str],
    ports: Sequence[int],
    governance_key: GovernanceKey,
    random: Callable[[int], bytes],
    now: int,
    host_of: Callable[[int], str] = lambda _number: LOOPBACK,
) -> Genesis:
    """Make keys, contributions, genesis and folders for a local network.

    Args:
        network: where.
        name: of the network.
        names: of the members.
        ports: three for each member: peer-to-peer, RPC of the node, registry.
        governance_key: makes a member's governance key in its folder.
        random: gives that many random bytes.
        now: Unix seconds, when the network begins.
        host_of: the address of member number 1, 2, …; another for each where each has a network
            namespace of its own.

    Raises:
        NetworkExists: there is one.
    """
    if network.exists:
        raise NetworkExists(f"{network.root} holds a network; `cairn consortium up` runs it")
    contributions = []
    for number, (member, own) in enumerate(
        zip(names, zip(ports[::3], ports[1::3], ports[2::3], strict=True), strict=True), start=1
    ):
        folder = MemberFolder(network.root / f"member-{number}")
        folder.make()
        p2p, rpc, api = own
        host = host_of(number)
        validator = node_keys(folder, random)
        governance, sign = governance_key(member, folder)
        settings = MemberSettings(
            name=member,
            rpc_port=rpc,
            p2p_listen=f"{host}:{p2p}",
            p2p_external="",
            api_host=host,
            api_port=api,
            local=True,
            new_dids_per_hour=0,
        )
        contribution = sign_contribution(
            Contribution(
                network=name,
                name=member,
                governance_keys=(governance,),
                validator_key=validator.key,
                peer=Peer(
                    name=member,
                    node_id=validator.node_id,
                    address=settings.p2p_listen,
                    api=api_of(settings),
                ),
                made=now,
            ),
            {governance: sign, validator.key: validator.sign},
        )
        folder.contribution_file.write_bytes(contribution.encode())
        contributions.append((folder, settings, contribution))
    genesis, peers = assemble([item for _, _, item in contributions])
    for folder, settings, _ in contributions:
        folder.write_network(genesis, peers)
        folder.write_settings(settings)
    write_document(network.root / "genesis.json", genesis.to_object())
    return genesis


def api_of(settings: MemberSettings) -> str:
    """Base URL of a local member's registry."""
    return f"http://{settings.api_host}:{settings.api_port}"


def wait_until_ready(apis: Sequence[str], *, seconds: float, needed: int | None = None) -> bool:
    """Wait until `needed` members (all, when not said) answer with a signed head."""
    deadline = time.monotonic() + seconds
    while sum(1 for api in apis if health_of(api)) < (needed or len(apis)):
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def health_of(api: str) -> Mapping[str, object] | None:
    """What a local member says of itself; None when it does not answer."""
    try:
        with urlopen(f"{api}/registry/health", timeout=2.0) as answer:  # noqa: S310 - loopback
            found = json.loads(answer.read(4096))
    except (URLError, OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
