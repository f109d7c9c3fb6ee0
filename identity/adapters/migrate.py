"""Brings a database to the version that this code expects, once, however many start together.

`python -m identity.adapters.migrate identity "what changed"` writes the next migration from the
tables declared in the code; read it before you commit it.
"""

import sys
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from registry.core.refusals import Conflict

Tree = Literal["identity", "vault"]

_LOCK = 0x63_61_69_72_6E  # PostgreSQL advisory lock of all Cairn migrations
_TREES = Path(__file__).parent / "migrations"


class NewerDatabase(Conflict):
    """A newer version of this software wrote the database; this one must not touch it."""


def migrate(engine: Engine, tree: Tree) -> None:
    """Run the missing migrations of `tree`, all in one transaction.

    Raises:
        NewerDatabase: the database is at a version that this code does not know.
    """
    with engine.begin() as connection:  # SQLite: BEGIN IMMEDIATE, so a second starter waits
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        config = _config(tree, connection)
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if set(MigrationContext.configure(connection).get_current_heads()) - known:
            raise NewerDatabase("the database was written by a newer version of Cairn")
        command.upgrade(config, "head")


def _config(tree: Tree, connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_TREES / tree).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def write_migration(tree: Tree, message: str) -> None:
    """Compare the migrations with the declared tables and write what is missing."""
    from identity.adapters.database import create_database
    from identity.adapters.tables import METADATA

    engine = create_database("sqlite://")
    migrate(engine, tree)
    with engine.begin() as connection:
        config = _config(tree, connection)
        config.attributes["metadata"] = METADATA[tree]
        command.revision(config, message, autogenerate=True)


if __name__ == "__main__":
    write_migration("vault" if sys.argv[1] == "vault" else "identity", sys.argv[2])
