"""The migrations make exactly the tables that the code declares, on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from identity.adapters.database import create_database
from identity.adapters.migrate import Tree, _config, migrate
from identity.adapters.realname_store import SqlBindingStore
from identity.adapters.tables import METADATA


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
