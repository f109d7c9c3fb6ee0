"""Databases with their tables, for tests that look at what is in them."""

import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, MetaData, make_url

from identity.adapters.database import create_database


def database_with(metadata: MetaData, url: str) -> Engine:
    """The database at `url`, with all tables of `metadata`.

    A new SQLite file is a copy of one that was made once: two dozen `CREATE TABLE` cost as much
    as the rest of a small test.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        file = Path(str(parsed.database))
        if not file.exists():
            file.write_bytes(_empty(metadata))
            return create_database(url)
    engine = create_database(url)
    metadata.create_all(engine)
    return engine


@cache
def _empty(metadata: MetaData) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        engine = create_database(f"sqlite:///{file}")
        metadata.create_all(engine)
        engine.dispose()  # the last connection writes the log into the file
        assert not file.with_name("empty.db-wal").exists()
        return file.read_bytes()
