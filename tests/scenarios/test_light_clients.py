"""Light clients on real networks: they agree on every head, and follow validators who change."""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from registry.api.app import create_app
from registry.client import AsgiTransport, NodeNotTrusted, RegistryClient
from registry.client.forks import ForkWatch
from registry.client.members import MembersTransport
from registry.client.trust_store import FileTrustStore
from registry.consortium.anchor import first_anchor
from registry.core.checkpoint import parse_head, verify_head
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.consortium_head import read_evidence
from registry.core.governance_changes import SetValidatorKey
from registry.core.light_client.verification import NotEnoughTrust
from registry.core.proposals import CastVote, Propose
from registry.core.transactions import parse_transaction
from tests.comet_network import make_node, members, network
from tests.registry.authors import Author, UnsafeKey, fresh_nonce, new_did
from tests.soak.followers import soak

COUNT = 4


@pytest.mark.slow
def test_many_clients_on_validators_and_observers_agree_on_every_head() -> None:
    report = soak(observers=2, clients=12, seconds=6.0)

    assert report.nodes == 6
    assert report.heads >= 3
    assert report.looks >= 12 * 5
    assert report.laggards == 0


def governors() -> list[Author]:
    """Those who vote: the members of the genesis that `tests.comet_network` makes."""
    keys = [UnsafeKey("root"), *(UnsafeKey(f"root {number}") for number in range(1, COUNT))]
    return [
        Author(member.did, "governance-1", key)
        for member, key in zip(members(COUNT), keys, strict=True)
    ]


@pytest.mark.slow
def test_the_oldest_anchor_follows_validators_who_were_all_replaced(tmp_path: Path) -> None:
    """Each member moves its vote to a new node; then the old nodes are gone."""
    with network(tmp_path, COUNT) as old, ExitStack() as stack:
        genesis = old[0].genesis
        oldest = first_anchor(genesis, old[0].ledger.head(0))
        fresh = [
            make_node(tmp_path, COUNT + number, genesis=genesis, program=old[0].program)
            for number in range(COUNT)
        ]
        for node in fresh:
            node.configure([*old, *fresh])
            stack.callback(node.stop)
            node.start()
        for node in fresh:
            node.ready()

        proposer, *voters = governors()
        for number in range(COUNT):
            change = SetValidatorKey(
                member=governors()[number].did,
                validator_key=UnsafeKey(f"validator {COUNT + number}").key,
            )
            proposal = proposer.transaction(
                Propose(change=change, reason="new-machine"), nonce=fresh_nonce()
            )
            fresh[0].ledger.submit(proposal)
            for voter in voters[:2]:
                vote = CastVote(proposal=parse_transaction(proposal).id, vote="yes")
                fresh[0].ledger.submit(voter.transaction(vote, nonce=fresh_nonce()))
            for step in range(3):  # a change counts from the block after next
                fresh[1].ledger.submit(new_did(f"between {number} {step}")[0])
        height = fresh[0].ledger.health().height
        for node in fresh:
            node.ready(height)
        for node in old:
            node.stop()
        fresh[0].ledger.submit(new_did("after")[0])

        newest = fresh[0].ledger.head()
        signers = {item.key for item in read_evidence(parse_head(newest)).validators.validators}
        assert signers == {UnsafeKey(f"validator {COUNT + n}").key for n in range(COUNT)}
        with pytest.raises(NotEnoughTrust):
            verify_head(newest, oldest, now=int(time.time()))
        transports = [
            AsgiTransport(create_app(node.ledger, oldest, light_blocks=node.ledger))
            for node in fresh
        ]
        for transport in transports:
            stack.callback(transport.close)
        store = FileTrustStore(tmp_path / "followed.db")
        stack.callback(store.close)

        client = RegistryClient(
            MembersTransport(transports),
            oldest,
            time.monotonic,
            random=lambda _size: fresh_nonce(),
            store=store,
        )

        for node in fresh:
            node.ready(height + 1)
        assert client.head() == parse_head(newest).claimed
        kept = store.load(oldest)
        assert isinstance(kept, ConsortiumAnchor)
        assert {item.key for item in kept.newest.validators.validators} == signers
        watch = ForkWatch(client.head_trust, transports, evidence=tmp_path / "e", clock=time.time)
        assert watch.look().agreed == COUNT
        # The same readers without what lies between are refused, not misled.
        for transport in transports:
            transport.get = _without_light_blocks(transport)  # type: ignore[method-assign]
        blind = RegistryClient(
            MembersTransport(transports), oldest, time.monotonic, random=lambda _: fresh_nonce()
        )
        with pytest.raises(Exception, match=r"404|not proven") as refused:
            blind.head()
        assert isinstance(refused.value, NodeNotTrusted) or "404" in str(refused.value)


def _without_light_blocks(transport: AsgiTransport):  # type: ignore[no-untyped-def]
    whole = transport.get
    return lambda path: whole("/registry/nothing" if "light-blocks" in path else path)
