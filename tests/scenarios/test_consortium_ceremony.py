"""Four institutions found a network without seeing each other's keys; a fifth joins and votes."""

import json
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from registry.core.keys import parse_multikey
from registry.ledger.comet.node_files import address_of, read_validator_key
from tests.comet_network import cometbft
from tests.registry.authors import new_did
from tests.scenarios.consortium import Institution, client_of, validators_of

NAMES = ("Ministry", "Court", "University", "Auditor")


def founded(root: Path) -> list[Institution]:
    """The ceremony: contribute, exchange, assemble, compare."""
    members = [Institution.at(root, name) for name in NAMES]
    for member in members:
        member.cairn(
            *("consortium", "contribute", "--network", "testnet", "--name", member.name),
            *("--api", member.api, *member.where),
        )
    contributions = [str(member.folder / "contribution.json") for member in members]
    digests = set()
    for number, member in enumerate(members):
        mixed = contributions[number:] + contributions[:number]  # whatever order they come in
        told = member.cairn("consortium", "assemble", "--data", str(member.folder), *mixed)
        digests.add(told.split("genesis ")[1].split()[0])
    assert len(digests) == 1
    (digest,) = digests
    for member in members:
        checked = member.cairn(
            "consortium", "check", "--data", str(member.folder), "--digest", digest
        )
        assert "this node votes" in checked
    wrong = members[0].cairn(
        *("consortium", "check", "--data", str(members[0].folder), "--digest", "00" * 32),
        fails=True,
    )
    assert "NotThisGenesis" in wrong
    return members


def vote(member: Institution, proposal: str, *, at: Institution) -> str:
    """Vote at any member's registry; whose it is makes no difference."""
    return member.cairn("vote", proposal, "yes", *signing(member, did_of(member), at=at))


def did_of(member: Institution) -> str:
    genesis = json.loads((member.folder / "genesis.json").read_text())
    return str(next(item["did"] for item in genesis["members"] if item["name"] == member.name))


def signing(member: Institution, did: str, *, at: Institution | None = None) -> list[str]:
    return [
        *("--author", did, "--keys", str(member.folder / "keys" / "governance.keys")),
        *("--base", (at or member).api, "--trust", str(member.folder / "trust-anchor.json")),
    ]


def decided(told: str) -> bool:
    return "  accepted" in told


def proposal_of(told: str) -> str:
    return next(word for word in told.split() if len(word) == 64)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_ceremony_a_fifth_member_and_a_new_key(tmp_path: Path) -> None:
    cometbft()
    members = founded(tmp_path)
    ministry, court, university, auditor = members
    fifth = Institution.at(tmp_path, "Archive")
    stack = ExitStack()
    try:
        for member in members:
            settings = json.loads((member.folder / "member.json").read_text())
            (member.folder / "member.json").write_text(
                json.dumps({**settings, "snapshot_interval": 4})
            )
            member.start()
        for member in members:
            member.wait_height(0)
        client = stack.enter_context(client_of(*members))
        for number in range(9):
            client.submit(new_did(f"author {number}")[0])

        # A node joins from a snapshot under the pinned anchor, without a vote.
        bundle = tmp_path / "bundle.json"
        told = court.cairn(
            "consortium", "bundle", "--data", str(court.folder), "--out", str(bundle)
        )
        digest = told.split("genesis ")[1].split()[0]
        joined = fifth.cairn(
            *("consortium", "join", str(bundle), "--digest", digest, "--name", fifth.name),
            *fifth.where,
        )
        assert "observer" in joined
        fifth.start()
        fifth.wait_height(client.height())
        assert address_of(read_validator_key(fifth.folder / "node").data) not in validators_of(
            ministry
        )

        # It becomes a member by vote, and signs blocks.
        raw, archive = new_did("archive")
        with client_of(fifth) as its_own:
            its_own.submit(raw)
        key = next(word for word in joined.split() if word.startswith("z6Mk"))
        told = ministry.cairn(
            *("member", "propose-admit", archive.did, "Archive", "--validator-key", key),
            *signing(ministry, did_of(ministry)),
        )
        for member in (court, university):
            answer = vote(member, proposal_of(told), at=ministry)
        assert decided(answer)
        address = address_of(parse_multikey(key).data)
        for number in range(40):
            client.submit(new_did(f"later {number}")[0])
            if address in validators_of(ministry):
                break
            time.sleep(0.1)
        assert address in validators_of(ministry)

        # A member rotates its validator key by vote, and goes on with it by itself.
        old = address_of(read_validator_key(auditor.folder / "node").data)
        told = auditor.cairn("consortium", "key", "--next", "--data", str(auditor.folder))
        following = next(word for word in told.split() if word.startswith("z6Mk"))
        told = ministry.cairn(
            *("member", "propose-key", did_of(auditor), following),
            *signing(ministry, did_of(ministry)),
        )
        for member in (court, university, auditor):
            answer = vote(member, proposal_of(told), at=ministry)
            if decided(answer):
                break
        assert decided(answer)
        code, output = auditor.ended()
        assert code == 1, output
        assert "voted for the next validator key" in output
        auditor.start()  # as a service manager does
        address = address_of(parse_multikey(following).data)
        for number in range(40):
            client.submit(new_did(f"even later {number}")[0])
            signed = validators_of(ministry)
            if address in signed:
                break
            time.sleep(0.2)
        assert address in signed
        assert old not in signed

        newest = client.height()
        for member in (*members, fifth):
            member.wait_height(newest)
        heads = set()
        for member in (*members, fifth):
            with client_of(member) as its_own:
                heads.add(its_own.head())
        assert len(heads) == 1
    finally:
        stack.close()
        codes = [member.stop() for member in (*members, fifth)]
    assert set(codes) <= {0, None}
