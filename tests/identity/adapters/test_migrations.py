"""The migrations make exactly the tables that the code declares, on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from identity.adapters.database import create_database
from identity.adapters.migrate import Tree, migrate
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
