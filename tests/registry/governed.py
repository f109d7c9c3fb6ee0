"""A network that several members govern, on the embedded engine, behind its HTTP interface."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from registry.api.app import create_app
from registry.client import Answer, AsgiTransport, RegistryClient
from registry.core.accreditation_actions import Accredit
from registry.core.encoding import base64url_encode
from registry.core.genesis import Genesis, genesis_member
from registry.core.governance_changes import Change
from registry.core.hashing import sha256
from registry.core.proposals import CastVote, Proposal, Propose
from registry.core.transactions import Action
from registry.core.trust_anchor import TrustAnchor
from registry.ledger.embedded import EmbeddedLedger
from tests.registry.authors import (
    CREATED,
    NETWORK,
    Author,
    UnsafeHeadSigner,
    UnsafeKey,
    fresh_nonce,
    new_did,
)


def identifier(name: str) -> str:
    return base64url_encode(sha256(name.encode())[:16])


@dataclass
class Governed:
    """The node, a client that trusts nothing of it, and everybody by name."""

    path: Path
    ledger: EmbeddedLedger
    http: AsgiTransport
    client: RegistryClient
    trust: TrustAnchor
    clock: list[int]
    people: dict[str, Author] = field(default_factory=dict)

    def did(self, name: str) -> str:
        return self.people[name].did

    def join(self, name: str) -> str:
        """Somebody who is no member gets a DID."""
        raw, author = new_did(name)
        self.client.submit(raw)
        self.people[name] = author
        return author.did

    def post(self, name: str, action: Action) -> Answer:
        """The answer of the HTTP interface as it is."""
        return self.http.post("/registry/transactions", self.people[name].transaction(action))

    def act(self, name: str, action: Action) -> str:
        author = self.people[name]
        return self.client.submit_transaction(author.did, author, action).tx_id

    def propose(self, name: str, change: Change) -> str:
        return self.act(name, Propose(change=change, reason="treaty"))

    def vote(self, name: str, proposal: str, vote: str = "yes") -> Proposal:
        self.act(name, CastVote(proposal=proposal, vote=vote))
        return self.proposal(proposal)

    def proposal(self, identifier: str) -> Proposal:
        found = self.client.governance.proposal(identifier)
        assert found is not None
        return found

    def decide(self, change: Change, *voters: str) -> Proposal:
        """The first proposes, the others say yes."""
        proposal = self.propose(voters[0], change)
        for name in voters[1:]:
            self.vote(name, proposal)
        return self.proposal(proposal)

    def grant(self, subject: str, *types: str, role: str = "issuer") -> Accredit:
        return Accredit(
            accreditation=identifier(f"{subject} {role} {types}"),
            subject=self.did(subject),
            role=role,
            types=types,
            until_height=None,
        )

    @property
    def members(self) -> list[str]:
        return [member.name for member in self.client.governance.members()]


@contextmanager
def governed(folder: Path, *names: str) -> Iterator[Governed]:
    """A running network whose genesis has these members."""
    founders = {
        name: (genesis_member(network=NETWORK, name=name, keys=[UnsafeKey(name).key]))
        for name in names
    }
    signer = UnsafeHeadSigner()
    trust = TrustAnchor(
        network=NETWORK,
        head_keys=(signer.verifier_key,),
        threshold=1,
        roots=tuple(member.did for member in founders.values()),
    )
    clock = [CREATED + 10]
    ledger = EmbeddedLedger.open(
        folder / "ledger.db",
        genesis=Genesis(network=NETWORK, members=tuple(founders.values()), created=CREATED),
        signer=signer,
        now=lambda: clock[0],
    )
    http = AsgiTransport(create_app(ledger, trust))
    client = RegistryClient(http, trust, lambda: 0.0, random=lambda _size: fresh_nonce())
    people = {
        name: Author(member.did, "governance-1", UnsafeKey(name))
        for name, member in founders.items()
    }
    try:
        yield Governed(folder / "ledger.db", ledger, http, client, trust, clock, people)
    finally:
        http.close()
        ledger.close()
