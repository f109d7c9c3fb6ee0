"""Databases with their tables, for tests that look at what is in them."""

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, MetaData, make_url

from identity.adapters.database import create_database
from identity.adapters.migrate import Tree, migrate


def database_with(metadata: MetaData, url: str) -> Engine:
    """The database at `url`, with all tables of `metadata`."""
    return _prepared(metadata.create_all, url)


def migrated_database(tree: Tree, url: str) -> Engine:
    """The database at `url` as all migrations of `tree` leave it."""
    return _prepared(_migration(tree), url)


def _prepared(prepare: Callable[[Engine], None], url: str) -> Engine:
    """A new SQLite file is a copy of one that was prepared once.

    Two dozen `CREATE TABLE` cost as much as the rest of a small test, all migrations ten times
    that.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        file = Path(str(parsed.database))
        if not file.exists():
            file.write_bytes(_new_file(prepare))
            return create_database(url)
    engine = create_database(url)
    prepare(engine)
    return engine


@cache
def _migration(tree: Tree) -> Callable[[Engine], None]:
    return lambda engine: migrate(engine, tree)


@cache
def _new_file(prepare: Callable[[Engine], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "new.db"
        engine = create_database(f"sqlite:///{file}")
        prepare(engine)
        engine.dispose()
        assert [path.name for path in Path(folder).iterdir()] == ["new.db"]  # it is all in there
        return file.read_bytes()
