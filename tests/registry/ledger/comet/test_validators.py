"""Validators change by vote while the network runs, and every head is sealed by the right ones."""

from pathlib import Path

from registry.core.checkpoint import parse_head
from registry.core.consortium_head import read_evidence
from registry.core.genesis import Genesis
from registry.core.governance_changes import AdmitMember, Change, RemoveMember
from registry.core.keys import PublicKey
from registry.core.proposals import CastVote, Propose
from registry.core.transactions import parse_transaction
from tests.comet_network import Node, cometbft, make_node, members, network
from tests.registry.authors import CREATED, NETWORK, Author, UnsafeKey, new_did


def author_of(genesis: Genesis, number: int) -> Author:
    key = UnsafeKey("root" if number == 0 else f"root {number}")
    return Author(genesis.members[number].did, "governance-1", key)


def decide(nodes: list[Node], change: Change, *voters: Author) -> int:
    """Propose at one member, vote at others; the height of the last vote."""
    raw = voters[0].transaction(Propose(change=change, reason="treaty"))
    nodes[0].ledger.submit(raw)
    vote = CastVote(proposal=parse_transaction(raw).id, vote="yes")
    return max(
        nodes[number % 3].ledger.submit(author.transaction(vote)).height
        for number, author in enumerate(voters[1:], start=1)
    )


def sealed_by(node: Node, height: int) -> set[PublicKey]:
    block = read_evidence(parse_head(node.ledger.head(height)))
    return {item.key for item in block.validators.validators}


def test_a_fifth_validator_comes_and_another_goes(tmp_path: Path) -> None:
    genesis = Genesis(network=NETWORK, members=members(4), created=CREATED)
    first = {member.validator_key for member in genesis.members}
    with network(tmp_path, 4, genesis=genesis) as nodes:
        fifth = make_node(tmp_path, 4, genesis=genesis, program=cometbft())
        fifth.configure(nodes)
        fifth.start()
        try:
            raw, author = new_did("fifth")
            fifth.ready().ledger.submit(raw)
            key = UnsafeKey("validator 4").key
            admit = AdmitMember(member=author.did, name="Fifth", validator_key=key)
            founders = [author_of(genesis, number) for number in range(4)]
            admitted = decide(nodes, admit, *founders[:3])
            after = [nodes[2].ledger.submit(new_did(f"a {n}")[0]).height for n in range(3)]
            # The state of the height before names who signs: from the next height on, all five.
            assert sealed_by(nodes[1].ready(after[-1]), admitted) == first
            assert sealed_by(nodes[1], admitted + 1) == first | {key}

            leaving = RemoveMember(member=genesis.members[3].did)
            removed = decide(nodes, leaving, *founders[:3], author)
            last = [nodes[0].ledger.submit(new_did(f"b {n}")[0]).height for n in range(3)][-1]

            left = first - {genesis.members[3].validator_key}
            assert sealed_by(nodes[0], removed) == first | {key}
            assert sealed_by(nodes[0], last) == left | {key}
            heads = {parse_head(node.ready(last).ledger.head(last)).claimed for node in nodes}
            assert heads == {parse_head(fifth.ready(last).ledger.head(last)).claimed}
        finally:
            fifth.stop()
