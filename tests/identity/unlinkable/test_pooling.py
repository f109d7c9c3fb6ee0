"""Two relying parties pool what 100 citizens showed them on 10 visits each, and cannot match them.

Everything is real but the network: credentials from the issuer's HTTP interface, key bindings,
receipts, pseudonyms at each party. Nothing is left out of what the parties keep. Claims asked are
the same for everybody: what a citizen says herself, her name for example, matches her of course.
"""

import random as chance
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from identity.core import sd_jwt
from identity.core.issuance import STRETCH_SECONDS, issued_at
from identity.core.pseudonym import (
    PseudonymExpectation,
    Wish,
    make_statement,
    verify_pseudonym,
)
from identity.core.signing import NamedSigner
from identity.demo.holder import HeldCopy, digest_of
from registry.core.encoding import base64url_encode
from tests.identity.issuer.workbench import ALICE_FACTS, START, Workbench
from tests.identity.unlinkable.pooling import (
    Seen,
    leaves_of,
    matched_by_all_fields,
    matched_by_field,
    matched_by_nearness,
    matched_by_rank,
    matched_by_shared_values,
    numeric_paths,
    paths_of,
)

CITIZENS, VISITS, COPIES = 100, 10, 2
# Guessing gets one of a hundred right on average; 7 or more happen once in 12,000 (Poisson).
MOST_BY_CHANCE = 6
PARTIES = ("did:cairn:test:bar", "did:cairn:test:bank")


@dataclass
class Town:
    """What the bar holds and what the bank holds, each in an order of its own."""

    bar: list[Seen]
    bank: list[Seen]


def issue(bench: Workbench, number: int) -> list[HeldCopy]:
    """One citizen's copies of her identity; people differ in which facts are known of them."""
    subject = f"prs_{number}"
    facts = dict(ALICE_FACTS)
    for position, name in enumerate(("sex", "nationality", "locality", "country")):
        if number >> position & 1:
            facts.pop(name)
    bench.persons.people[subject] = facts
    token = bench.token(bench.offer(subject=subject))
    nonce, keys = bench.nonce(), [bench.key() for _ in range(COPIES)]
    answer = bench.request(
        token,
        {
            "credential_configuration_id": "resident-identity-sd-jwt",
            "proofs": {"jwt": [bench.proof(key, nonce=nonce) for key in keys]},
        },
    )
    assert answer.status_code == 200, answer.text
    texts = [entry["credential"] for entry in answer.json()["credentials"]]
    return [
        HeldCopy("resident-identity-sd-jwt", bench.issuer, text, key)
        for text, key in zip(texts, keys, strict=True)
    ]


def show(bench: Workbench, copy: HeldCopy, citizen: int, party: str) -> Seen:
    """Ten visits to one party, with the copy that is spent on it."""
    digest = base64url_encode(digest_of(copy))
    receipt = bench.http.get(f"{bench.issuer}/receipts/{digest}")
    assert receipt.status_code == 200, receipt.text
    leaves = []
    own = NamedSigner(bench.key(), "pseudonym")  # of this citizen at this party alone
    for _ in range(VISITS):
        bench.clock.forward(seconds=chance.Random(f"{citizen} {party}").randint(1, 900))
        nonce, now = base64url_encode(bench.random(16)), int(bench.clock().timestamp())
        presentation = sd_jwt.add_key_binding(
            sd_jwt.present(copy.text, [("age_over_18",)]),
            signer=NamedSigner(copy.key, "holder"),
            audience=party,
            nonce=nonce,
            issued_at=now,
        )
        vp_token = {"resident-identity": [presentation]}
        statement = make_statement(
            signer=own, audience=party, nonce=nonce, vp_token=vp_token, issued_at=now
        )
        pseudonym = verify_pseudonym(
            statement,
            expected=PseudonymExpectation(
                wish=Wish.REQUIRED,
                party=party,
                audience=party,
                nonce=nonce,
                vp_token=vp_token,
                max_age_seconds=300,
                skew_seconds=60,
                now=now,
            ),
            holder_keys=[copy.key.key],
        )
        leaves += leaves_of(presentation, receipt.json(), statement=statement, pseudonym=pseudonym)
    return Seen(citizen, leaves)


def played(
    folder: Path,
    *,
    gathers: bool = True,
    seconds_between: float = 2.0,
    citizens: int = CITIZENS,
    seal_each: bool = False,
) -> Town:
    """Issue to everybody within one stretch of time, seal, and let everybody go to both parties."""
    bench = Workbench(folder, gathers=gathers, seed=b"town")
    begins = issued_at(START)
    bench.clock.value = begins.replace(microsecond=0)
    bench.clock.forward(seconds=STRETCH_SECONDS + 20)
    held = []
    for number in range(citizens):
        held.append(issue(bench, number))
        bench.clock.forward(seconds=seconds_between)
        if seal_each:
            bench.worker.run_once(bench.clock())
    bench.clock.forward(seconds=STRETCH_SECONDS)
    bench.worker.run_once(bench.clock())
    seen: dict[str, list[Seen]] = {}
    for copy, party in enumerate(PARTIES):
        order = list(range(citizens))
        chance.Random(party).shuffle(order)
        seen[party] = [show(bench, held[one][copy], one, party) for one in order]
    return Town(seen[PARTIES[0]], seen[PARTIES[1]])


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return played(tmp_path_factory.mktemp("town"))


def attacks(town: Town) -> dict[str, int]:
    """How many are matched rightly, by each attack."""
    ours, theirs = town.bar, town.bank
    found = {
        "shared values": matched_by_shared_values(ours, theirs),
        "shared values outside receipts": matched_by_shared_values(
            ours, theirs, lambda path: not path.startswith("receipt.")
        ),
        "shared values of receipts": matched_by_shared_values(
            ours, theirs, lambda path: path.startswith("receipt.")
        ),
        "all fields": matched_by_all_fields(ours, theirs),
    }
    for path in sorted(paths_of(ours) & paths_of(theirs)):
        found[f"equal {path}"] = matched_by_field(ours, theirs, path)
        found[f"shared {path}"] = matched_by_shared_values(ours, theirs, path.__eq__)
        found[f"rank {path}"] = matched_by_rank(ours, theirs, path)
    for path in sorted(numeric_paths(ours) & numeric_paths(theirs)):
        found[f"near {path}"] = matched_by_nearness(ours, theirs, path)
    return found


def test_both_parties_keep_everything(town: Town) -> None:
    assert len(town.bar) == len(town.bank) == CITIZENS
    kept = paths_of(town.bar)
    for path in (
        "issued.payload.cnf.jwk.x",
        "issued.payload.status.status_list.idx",
        "issued.payload.status.status_list.uri",
        "issued.payload.iat",
        "issued.payload.exp",
        "issued.payload._sd[]",
        "issued.payload._sd.#",
        "binding.payload.nonce",
        "receipt.digest",
        "receipt.index",
        "receipt.path[]",
        "receipt.batch.time",
        "receipt.head",
        "disclosure[]",
        "statement.header.jwk.x",
        "statement.payload.vp_hash",
        "pseudonym",
    ):
        assert path in kept
    assert len(town.bar[0].leaves) > VISITS * 50


def test_each_party_knows_everybody_again_and_no_pseudonym_is_at_both(town: Town) -> None:
    known = []
    for people in (town.bar, town.bank):
        names = [{item for path, item in seen.leaves if path == "pseudonym"} for seen in people]
        assert all(len(of_one) == 1 for of_one in names)
        known.append(set().union(*names))
    assert [len(names) for names in known] == [CITIZENS, CITIZENS]
    assert not known[0] & known[1]


def test_nothing_that_we_gave_them_matches_better_than_chance(town: Town) -> None:
    found = attacks(town)

    assert len(found) > 100
    assert {name: right for name, right in found.items() if right > MOST_BY_CHANCE} == {}


def test_what_only_one_citizen_has_at_each_party_is_not_the_same_citizen(town: Town) -> None:
    """Such as a hash in two paths: among two hundred leaves some meet, but not those of one."""

    def single(people: Sequence[Seen]) -> dict[object, int]:
        owners: dict[object, set[int]] = {}
        for seen in people:
            for _, item in seen.leaves:
                owners.setdefault((type(item).__name__, item), set()).add(seen.citizen)
        return {value: min(found) for value, found in owners.items() if len(found) == 1}

    here, there = single(town.bar), single(town.bank)
    same = [value for value in here.keys() & there.keys() if here[value] == there[value]]

    assert len(same) <= MOST_BY_CHANCE


PLANTS: dict[str, Callable[[Seen], Seen]] = {
    "the same salt": lambda seen: replace(
        seen, leaves=[*seen.leaves, ("issued.payload.anchor.salt", f"salt {seen.citizen}")]
    ),
    "a field elsewhere": lambda seen: replace(
        seen, leaves=[*seen.leaves, (f"planted.{seen.citizen % 7}", f"serial {seen.citizen}")]
    ),
    "a value in a receipt": lambda seen: replace(
        seen, leaves=[*seen.leaves, ("receipt.batch.note", f"note {seen.citizen}")]
    ),
    "one pseudonym key at both": lambda seen: replace(
        seen, leaves=[*seen.leaves, ("statement.header.jwk.x", f"key {seen.citizen}")]
    ),
    "a time to the second": lambda seen: replace(
        seen, leaves=[*seen.leaves, ("issued.payload.nbf", 1_790_000_000 + 3 * seen.citizen)]
    ),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_value_is_found(town: Town, plant: str) -> None:
    planted = Town([PLANTS[plant](s) for s in town.bar], [PLANTS[plant](s) for s in town.bank])

    assert max(attacks(planted).values()) > 0.9 * CITIZENS


def test_neighbouring_indices_would_be_found(town: Town) -> None:
    """Status entries handed out one after the other, instead of at random."""

    def numbered(people: Sequence[Seen], step: int) -> list[Seen]:
        return [
            replace(seen, leaves=[*seen.leaves, ("planted.idx", 10 * seen.citizen + step)])
            for seen in people
        ]

    planted = Town(numbered(town.bar, 0), numbered(town.bank, 1))

    assert matched_by_nearness(planted.bar, planted.bank, "planted.idx") == CITIZENS


def test_a_batch_for_each_citizen_would_be_found(tmp_path: Path) -> None:
    """Why batches gather: sealed at once, a batch holds one citizen, and every receipt names it."""
    few = 12

    alone = played(tmp_path, gathers=False, seal_each=True, citizens=few)

    assert matched_by_field(alone.bar, alone.bank, "receipt.batch.batch") == few
    assert matched_by_shared_values(alone.bar, alone.bank) == few


def test_the_number_of_claims_would_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why there are decoys: people of whom fewer facts are known would show fewer digests."""
    made = sd_jwt.make_disclosures

    def without_decoys(claims: object, *, random: object, decoys: int = 0) -> object:
        return made(claims, random=random)  # type: ignore[arg-type]

    monkeypatch.setattr(sd_jwt, "make_disclosures", without_decoys)
    few = 16

    bare = played(tmp_path, citizens=few)

    sizes = {
        item for seen in bare.bar for path, item in seen.leaves if path == "issued.payload._sd.#"
    }
    assert len(sizes) > 2
