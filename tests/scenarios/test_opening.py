"""A court order: the identity behind a credential, opened by three institutions together.

Every step is the command that an institution would type; the installation is a process of its own.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from identity.cli.main import app
from identity.core.opening.giving import NotBehindOrder
from identity.core.opening.order import OrderNotVerified
from identity.core.opening.sharing import TooFewShares
from identity.demo.holder import digest_of
from identity.opening.service import NothingSealed, OrderNotRecorded
from registry.core.encoding import base64url_encode
from registry.core.refusals import NotPermitted, Refusal, Unavailable
from tests.scenarios.installation import DEMO, Held, Installation, Person, person

PASSPHRASE = "correct horse battery staple"
NAMES = ("court", "ombudsman", "registry")


class Ceremony:
    """Three institutions with files of their own, and the commands that they type."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.here = installation
        self.folder = folder
        self.did: dict[str, str] = {}
        self.public: dict[str, str] = {}

    def run(self, *arguments: str, at: bool = True) -> str:
        """The output of `cairn …`; raises the refusal that the command would print."""
        trust = str(self.here.data.trust_anchor)
        place = ["--base", self.here.address, "--trust", trust] if at else []
        done = CliRunner(env={"CAIRN_KEYS__PASSPHRASE": PASSPHRASE}).invoke(
            app, [*arguments, *place]
        )
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def found(self) -> None:
        """Each institution makes its DID and its opening key; the root makes them openers."""
        for name in NAMES:
            self.did[name] = self.run("did", "create", "--keys", self.path(f"{name}.keys"))
            self.public[name] = self.run(
                "opening", "seal-keys", "--out", self.path(f"{name}.opening"), at=False
            )
            rooted = ["--config", str(DEMO), "--data", str(self.here.data.root)]
            what = ["--did", self.did[name], "--types", "resident-identity", "--role", "opener"]
            answer = CliRunner().invoke(
                app, ["issuer", "accredit", *what, *rooted, "--base", self.here.address]
            )
            assert answer.exit_code == 0, answer.output

    def configuration(self) -> Path:
        """The demonstration's settings, and to whom identities are sealed."""
        holders = ", ".join(
            f'{{ institution = "{self.did[name]}", key = "{self.public[name]}" }}' for name in NAMES
        )
        made = self.folder / "sealed.toml"
        sealed = f"\n[opening]\nthreshold = 2\nholders = [{holders}]\n"
        made.write_text(DEMO.read_text("utf-8") + sealed, "utf-8")
        return made

    def case(self, held: Held, name: str) -> str:
        digest = base64url_encode(digest_of(held.copies[0]))
        data = ["--config", str(self.here.config), "--data", str(self.here.data.root)]
        self.run("opening", "case", digest, "--out", self.path(name), *data, at=False)
        return self.path(name)

    def order(self, case: str, name: str, *who: str, days: int = 30) -> str:
        institutions = [part for one in who for part in ("--institution", self.did[one])]
        self.run(
            *("opening", "order", case, *institutions, "--legal-basis", "court-order"),
            *("--notice-days", str(days), "--out", self.path(name)),
        )
        return self.path(name)

    def sign(self, draft: str, case: str, who: str) -> None:
        keys = ["--author", self.did[who], "--keys", self.path(f"{who}.keys")]
        self.run("opening", "sign", draft, case, *keys)

    def share(self, case: str, who: str, order: int, to: str = "court") -> str:
        out = self.path(f"share-{who}-{order}-{Path(case).stem}.json")
        self.run(
            *("opening", "share", case, "--order", str(order)),
            *("--keys", self.path(f"{who}.opening"), "--to", self.public[to], "--out", out),
        )
        return out

    def combine(self, case: str, order: int, *shares: str) -> dict[str, str]:
        answer: dict[str, str] = json.loads(
            self.run(
                *("opening", "combine", case, *shares, "--order", str(order)),
                *("--keys", self.path("court.opening")),
            )
        )
        return answer

    def notices(self) -> list[tuple[int, int, int]]:
        engine = create_engine(f"sqlite:///{self.here.data.identity_database}")
        with engine.connect() as connection:
            rows = connection.execute(
                text("SELECT order_number, ordered_at, due FROM opening_notice ORDER BY 1")
            ).all()
        engine.dispose()
        return [tuple(row) for row in rows]  # type: ignore[misc]


@pytest.fixture(scope="module")
def ceremony(
    make_installation: Callable[..., Installation], tmp_path_factory: pytest.TempPathFactory
) -> Ceremony:
    """The tests with it are the chapters of one story, in their order."""
    installation = make_installation()
    installation.start()
    made = Ceremony(installation, tmp_path_factory.mktemp("institutions"))
    made.found()
    installation.stop()
    installation.config = made.configuration()
    installation.start()
    return made


@pytest.fixture(scope="module")
def alice(ceremony: Ceremony) -> tuple[Person, Held]:
    return person(2), ceremony.here.issue(person(2))


@pytest.fixture(scope="module")
def case(ceremony: Ceremony, alice: tuple[Person, Held]) -> str:
    return ceremony.case(alice[1], "alice.json")


def test_before_the_order_no_share_is_given_and_the_gate_is_shut(
    ceremony: Ceremony, case: str
) -> None:
    for who in NAMES:
        with pytest.raises(OrderNotRecorded):
            ceremony.share(case, who, 1)
    body = json.loads(Path(case).read_text("utf-8"))
    answer = ceremony.here.http.post(
        f"{ceremony.here.base}/opening/releases", json={**body, "order": 1}
    )
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/order-not-recorded"
    assert ceremony.notices() == []


def test_an_order_needs_every_signature_that_it_names(ceremony: Ceremony, case: str) -> None:
    draft = ceremony.order(case, "order.json", "court", "ombudsman")
    ceremony.sign(draft, case, "court")
    with pytest.raises(NotPermitted, match="has not signed"):
        ceremony.run("opening", "submit", draft)
    ceremony.sign(draft, case, "ombudsman")

    told = ceremony.run("opening", "submit", draft)

    assert told.endswith("the public count is 1")


def test_one_share_opens_nothing_and_who_did_not_sign_gives_none(
    ceremony: Ceremony, case: str
) -> None:
    share = ceremony.share(case, "court", 1)

    with pytest.raises(TooFewShares):
        ceremony.combine(case, 1, share)
    with pytest.raises(NotBehindOrder):
        ceremony.share(case, "registry", 1)


def test_two_shares_open_one_person_and_leave_an_order_a_count_and_a_notice(
    ceremony: Ceremony, case: str, alice: tuple[Person, Held]
) -> None:
    shares = [str(path) for path in ceremony.folder.glob("share-court-1-*.json")]
    shares.append(ceremony.share(case, "ombudsman", 1))

    opened = ceremony.combine(case, 1, *shares)

    who = alice[0]
    assert opened == {
        "country": who.country,
        "number": who.number,
        "family_name": who.family_name,
        "given_name": who.given_name,
        "birth_date": who.birth_date,
    }
    body = ceremony.here.http.get(f"{ceremony.here.base}/registry/disclosures").json()
    assert body["count"] == 1
    record = body["orders"][0]["record"]
    assert sorted(record["institutions"]) == sorted(
        [ceremony.did["court"], ceremony.did["ombudsman"]]
    )
    assert ceremony.notices() == [(1, record["time"], record["time"] + 30 * 86_400)]


def test_the_order_for_one_person_opens_no_other(ceremony: Ceremony, case: str) -> None:
    other = ceremony.case(ceremony.here.issue(person(6)), "bob.json")
    with pytest.raises(OrderNotVerified):
        ceremony.share(other, "court", 1)
    mixed = json.loads(Path(other).read_text("utf-8"))
    mixed["salt"] = json.loads(Path(case).read_text("utf-8"))["salt"]
    Path(ceremony.path("mixed.json")).write_text(json.dumps(mixed), "utf-8")
    with pytest.raises(OrderNotVerified):
        ceremony.share(ceremony.path("mixed.json"), "court", 1)
    answer = ceremony.here.http.post(
        f"{ceremony.here.base}/opening/releases", json={**mixed, "order": 1}
    )
    assert answer.status_code == 403
    assert len(ceremony.notices()) == 1


def test_whoever_was_never_sealed_has_no_case(ceremony: Ceremony) -> None:
    with pytest.raises(NothingSealed):
        ceremony.run(
            *("opening", "case", base64url_encode(bytes(32)), "--out", ceremony.path("no.json")),
            *("--config", str(ceremony.here.config), "--data", str(ceremony.here.data.root)),
            at=False,
        )


def test_when_the_installation_is_away_nothing_opens(ceremony: Ceremony, case: str) -> None:
    shares = [str(path) for path in ceremony.folder.glob("share-*-1-alice.json")]
    assert len(shares) == 2
    ceremony.here.stop()
    with pytest.raises((Unavailable, Refusal)):
        ceremony.combine(case, 1, *shares)
    ceremony.here.start()
    assert ceremony.combine(case, 1, *shares)["country"]
    assert len(ceremony.notices()) == 1
    assert ceremony.here.audit().is_clean
