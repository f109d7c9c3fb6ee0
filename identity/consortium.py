"""What an installation needs to found and to ask a consortium: keys, votes, an office.

Where several members govern, nobody alone accredits anybody (decision 0015). So a consortium is
founded by votes: its members make one institution authority and registrar, and that institution
does what the root member does on an embedded ledger.
"""

import secrets
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from identity.adapters.key_files import KeyFile
from identity.adapters.passphrases import Passphrase
from identity.adapters.secret_files import read_passphrase
from identity.config import Environment, KeySettings
from identity.core.signing import NamedSigner
from identity.installation.founding import Founder, FoundingRegistry, Method
from registry.consortium.contribution import Sign
from registry.consortium.folder import MemberFolder
from registry.consortium.local_network import LocalNetwork, found_locally
from registry.core.accreditation import Accreditation, accreditation_id
from registry.core.accreditation_actions import Accredit
from registry.core.encoding import canonical_json
from registry.core.genesis import Genesis
from registry.core.governance_changes import Change
from registry.core.hashing import labelled_hash
from registry.core.keys import KeyType, PublicKey
from registry.core.proposals import OPEN, YES, CastVote, Proposal, Propose
from registry.core.records import proposal_key
from registry.core.refusals import Conflict
from registry.core.transactions import (
    Action,
    Payload,
    Signature,
    encode_signed,
    parse_transaction,
    signing_message,
)

GOVERNANCE_KEYS = {"ledger": KeyType.ED25519}  # as every author has one
OFFICE_KEYS = {"ledger": KeyType.ED25519}
MEMBER_NAMES = (
    "Ministry of the Interior",
    "Supreme Court",
    "National University",
    "Court of Audit",
    "Data Protection Authority",
    "Central Bank",
    "National Archives",
    "Chamber of Notaries",
    "Ministry of Health",
    "Transport Office",
    "Statistics Office",
    "Ministry of Education",
    "Academy of Sciences",
    "Ombudsman",
    "Land Registry",
    "Electoral Commission",
)


class MembersDidNotAgree(Conflict):
    """A proposal of the founding was not accepted."""


class GovernedRegistry(FoundingRegistry, Protocol):
    """The ledger as a founding by votes sees it; `registry.client.RegistryClient` keeps this."""

    def accreditations(self, subject: str) -> Sequence[Accreditation]:
        """Every accreditation of a subject, proven."""
        ...

    def record(self, key: str) -> bytes | None:
        """A record, proven, or None when its absence is proven."""
        ...


def make_ports(count: int) -> list[int]:
    """Different ports of the loopback interface on which nobody listens now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def governance_key_maker(
    passphrase: Passphrase, random: Callable[[int], bytes]
) -> Callable[[str, MemberFolder], tuple[PublicKey, Sign]]:
    """Makes the key file of each member of a local network."""

    def make(_name: str, folder: MemberFolder) -> tuple[PublicKey, Sign]:
        keys = KeyFile.open_or_create(
            folder.keys / "governance.keys",
            passphrase=passphrase,
            wanted=GOVERNANCE_KEYS,
            random=random,
        )
        return keys["ledger"].key, keys["ledger"].sign

    return make


def local_passphrase(network: LocalNetwork, random: Callable[[int], bytes]) -> Passphrase:
    """What opens the key files of a local network; made at its founding."""
    folder = network.root / "secrets"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Passphrase(
        read_passphrase(
            KeySettings(), environment=Environment.DEMONSTRATION, folder=folder, random=random
        )
    )


def open_local_members(
    network: LocalNetwork, *, random: Callable[[int], bytes]
) -> tuple[NamedSigner, ...]:
    """The governance keys of a local network's members, under their DIDs.

    Raises:
        Refusal: a key file cannot be opened.
    """
    passphrase = local_passphrase(network, random)
    signers = []
    for folder in network.folders:
        genesis = folder.genesis()
        dids = {key: member.did for member in genesis.members for key in member.keys}
        opened = KeyFile.open(
            folder.keys / "governance.keys", passphrase=passphrase, wanted=GOVERNANCE_KEYS
        )
        private = opened["ledger"]
        signers.append(NamedSigner(private, f"{dids[private.key]}#governance-1"))
    return tuple(signers)


@dataclass(frozen=True, slots=True)
class Assembly:
    """Members who decide together, because one hand holds all their keys: a local network's."""

    registry: GovernedRegistry
    network: str
    members: tuple[NamedSigner, ...]

    def found_office(self, keys: KeyFile, types: Sequence[str]) -> NamedSigner:
        """The institution that accredits and registers in the members' name; found again later.

        Args:
            keys: its key file.
            types: all credential types of the installation.

        Raises:
            MembersDidNotAgree: a vote failed.
        """
        founder = Founder(self.registry, network=self.network, root=self.members[0])
        method = Method("ledger-1", keys["ledger"], "capabilityInvocation")
        did = founder.create_did([method], also_known_as=())
        held = {known.id for known in self.registry.accreditations(did)}
        wanted = tuple(sorted(types))
        for role in ("authority", "registrar"):
            seed = labelled_hash(
                "cairn/founding-accreditation/v1", did.encode(), canonical_json([role, *wanted])
            )
            grant = Accredit(
                accreditation=accreditation_id(seed[:16]),
                subject=did,
                role=role,
                types=wanted,
                until_height=None,
            )
            if grant.accreditation not in held:
                self.decide(grant, reason="founding")
        return NamedSigner(keys["ledger"], f"{did}#ledger-1")

    def decide(self, change: Change, *, reason: str) -> Proposal:
        """Propose as the first member, and vote yes as the others until it is decided.

        Raises:
            MembersDidNotAgree: it was not accepted.
        """
        proposer, *voters = self.members
        identifier = self._submit(proposer, Propose(change=change, reason=reason))
        for voter in voters:
            proposal = self._proposal(identifier)
            if proposal.state != OPEN:
                break
            self._submit(voter, CastVote(proposal=identifier, vote=YES))
        proposal = self._proposal(identifier)
        if proposal.state != "accepted":
            raise MembersDidNotAgree(f"a {change.NAME} of the founding is {proposal.state}")
        return proposal

    def _proposal(self, identifier: str) -> Proposal:
        found = self.registry.record(proposal_key(identifier))
        if found is None:
            raise MembersDidNotAgree("a proposal of the founding is not on the ledger")
        return Proposal.parse(found)

    def _submit(self, signer: NamedSigner, action: Action) -> str:
        author = signer.verification_method.partition("#")[0]
        body = canonical_json({"action": action.NAME, "body": action.to_body()})
        payload = Payload(
            network=self.network,
            author=author,
            nonce=labelled_hash("cairn/founding-nonce/v1", author.encode(), body)[:16],
            action=action,
        )
        signature = Signature(
            key=signer.verification_method, value=signer.sign(signing_message(payload))
        )
        raw = encode_signed(payload, [signature])
        self.registry.submit(raw)
        return parse_transaction(raw).id


def make_local_network(network: LocalNetwork, *, name: str, members: int) -> Genesis:
    """Found a local network with invented institutions as members.

    Raises:
        NetworkExists: there is one.
    """
    random = secrets.token_bytes
    return found_locally(
        network,
        name=name,
        names=MEMBER_NAMES[:members],
        ports=make_ports(3 * members),
        governance_key=governance_key_maker(local_passphrase(network, random), random),
        random=random,
        now=int(time.time()),
    )
