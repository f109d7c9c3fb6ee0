"""The migrations make exactly the tables that the code declares, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from identity.adapters.database import create_database, transaction
from identity.adapters.guardian_store import ChangeRow
from identity.adapters.key_files import key_from_seed
from identity.adapters.migrate import Tree, _config, migrate
from identity.adapters.realname_store import SqlBindingStore
from identity.adapters.review_store import SqlCaseStore
from identity.adapters.tables import METADATA
from identity.core.jose import sign_compact
from identity.core.signing import NamedSigner
from identity.realname.review import Case, CaseKind, CaseState
from registry.core.encoding import JsonObject, base64url_encode, canonical_json, parse_json_object
from registry.core.keys import KeyType


@pytest.mark.parametrize("tree", ["identity", "vault"])
def test_migrations_leave_no_difference_to_the_declared_tables(
    database_url: str, tree: Tree
) -> None:
    engine = create_database(database_url)
    migrate(engine, tree)

    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA[tree])
    engine.dispose()

    assert differences == []


def test_of_many_that_start_together_one_migrates(database_url: str) -> None:
    engines = [create_database(database_url) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda engine: migrate(engine, "identity"), engines))

    assert outcomes == [None] * 4
    for engine in engines:
        engine.dispose()


def test_mergers_of_an_older_release_are_read_off_its_bindings(database_url: str) -> None:
    engine = create_database(database_url)
    before = "f4b0927c6ad3"
    with engine.begin() as connection:
        command.upgrade(_config("identity", connection), before)
        for subject, person, merged_from, merged_into in (
            ("prs_moved", "vlt_kept", "vlt_lost", None),
            ("prs_closed", "vlt_lost", None, "vlt_kept"),
            ("prs_further", "vlt_lost", "vlt_first", "vlt_kept"),
            ("prs_other", "vlt_other", None, None),
        ):
            connection.execute(
                text(
                    "insert into realname_binding (subject, agency, person, assurance_level,"
                    " created, state, merged_from, merged_into)"
                    " values (:s, :s, :p, 'IAL2', 1, 'active', :f, :i)"
                ),
                {"s": subject, "p": person, "f": merged_from, "i": merged_into},
            )
    migrate(engine, "identity")

    store = SqlBindingStore(engine)
    assert store.survivor("vlt_first") == store.survivor("vlt_lost") == "vlt_kept"
    assert store.absorbed_by("vlt_kept") == ["vlt_first", "vlt_lost"]
    assert store.survivor("vlt_other") == "vlt_other"
    engine.dispose()


def test_guardians_that_were_chosen_before_will_be_told_in_her_record(database_url: str) -> None:
    engine = create_database(database_url)
    signer = key_from_seed(KeyType.P256, b"k" * 32)
    arranged: JsonObject = {"guardians": [{}, {}, {}], "threshold": 2, "wait_seconds": 86_400}
    order = sign_compact(header={"typ": "x"}, payload=arranged, signer=NamedSigner(signer, "k"))
    with engine.begin() as connection:
        command.upgrade(_config("identity", connection), "0b7ce41d9a52")
        connection.execute(
            text(
                "insert into guardian_arrangement"
                " (arrangement, agency, subject, signed_order, holder_key, created)"
                " values ('a', 'registrar', 'prs_alice', :order, :key, 7)"
            ),
            {"order": order, "key": canonical_json(signer.key.jwk).decode()},
        )
    migrate(engine, "identity")

    with transaction(engine) as db:
        (row,) = db.scalars(select(ChangeRow)).all()
    assert (row.arrangement, row.state, row.subject, row.changed_at) == ("a", "set", "prs_alice", 7)
    told = parse_json_object(row.detail)
    assert told.pop("order") == base64url_encode(sha256(order.encode()).digest())
    assert told == {
        "key": signer.key.jwk_thumbprint,
        "guardians": 3,
        "threshold": 2,
        "wait_seconds": 86_400,
    }
    engine.dispose()


CASE = (
    'insert into realname_case (id, kind, agency, applicant, "similar", state, opened_at, verdict,'
    " target, reason, officers, barred, decided_at, touched_at, carried_out_at, revision)"
    " values (:id, :kind, 'registrar', :applicant, 'vlt_b', :state, 1, :verdict,"
    " '', '', '', :barred, 0, 1, 0, 1)"
)


def test_cases_of_an_older_release_are_of_who_asked_and_can_be_undone(database_url: str) -> None:
    engine = create_database(database_url)
    cases: dict[str, tuple[str, str, str | None, str]] = {
        "merged": ("double", "decided", "same", ""),
        "appealed": ("double", "open", None, "ada bob"),
        "apart": ("false-death", "decided", "distinct", ""),
        "alike": ("similar", "decided", "same", ""),
    }
    with engine.begin() as connection:
        command.upgrade(_config("identity", connection), "5d20c8f3a917")
        for name, (kind, state, verdict, barred) in cases.items():
            members = {"kind": kind, "state": state, "verdict": verdict, "barred": barred}
            connection.execute(text(CASE), {"id": name, "applicant": f"vlt_{name}", **members})
    migrate(engine, "identity")

    store = SqlCaseStore(engine)
    effects = {name: found.in_effect for name in cases if (found := store.read(name))}
    assert effects == {"merged": True, "appealed": True, "apart": False, "alike": False}
    for name, agency, expected in (
        ("merged", "registrar", "merged"),
        ("merged", "university", "new"),
        ("alike", "university", "alike"),
    ):
        asked = Case(
            id="new",
            kind=CaseKind(cases[name][0]),
            agency=agency,
            applicant=f"vlt_{name}",
            similar=("vlt_b",),
            state=CaseState.OPEN,
            opened_at=2,
        )
        assert store.open(asked).id == expected
    with engine.begin() as connection:  # of the two that ask the same, one case stays
        command.downgrade(_config("identity", connection), "5d20c8f3a917")
        left = connection.execute(text("select id from realname_case order by id")).scalars().all()
    assert left == sorted(cases)
    engine.dispose()


@pytest.mark.parametrize("kind", list(CaseKind))
def test_an_older_release_opens_cases_on_the_same_database(
    database_url: str, kind: CaseKind
) -> None:
    engine = create_database(database_url)
    migrate(engine, "identity")
    with engine.begin() as connection:  # as the release before d81f0a6c37e2 writes and decides it
        connection.execute(
            text(
                'insert into realname_case (id, kind, agency, applicant, "similar", state,'
                " opened_at, verdict, target, reason, officers, barred, decided_at, revision)"
                " values ('cas_1', :kind, 'registrar', 'vlt_a', 'vlt_b', 'open', 100, null,"
                " '', '', '', '', 0, 1)"
            ),
            {"kind": str(kind)},
        )

    store = SqlCaseStore(engine)
    case = store.read("cas_1")
    assert case is not None
    assert (case.touched_at, case.carried_out_at, case.in_effect) == (0, 0, False)
    assert store.untouched_since(100, doubles=100, limit=9) == []  # and its term is not over
    assert store.untouched_since(101, doubles=101, limit=9) == [case]
    with engine.begin() as connection:
        connection.execute(text("update realname_case set state = 'decided', decided_at = 200"))
    assert store.untouched_since(200, doubles=200, limit=9) == []
    found = store.untouched_since(201, doubles=150, limit=9)
    assert [old.id for old in found] == ([] if kind is CaseKind.DOUBLE else ["cas_1"])
    engine.dispose()
