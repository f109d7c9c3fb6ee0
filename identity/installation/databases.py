"""Opens the databases of an installation, at the version that this code expects."""

from sqlalchemy import Engine

from identity.adapters.database import create_database
from identity.adapters.migrate import migrate
from identity.config import Settings
from identity.installation.folder import DataFolder


def open_identity_database(settings: Settings, folder: DataFolder) -> Engine:
    """Issuing, verifying, bindings: no personal data."""
    url = settings.database.url
    engine = create_database(
        url.get_secret_value() if url else f"sqlite:///{folder.identity_database}"
    )
    migrate(engine, "identity")
    return engine


def open_vault_database(settings: Settings, folder: DataFolder) -> Engine:
    """The vault's own database: sealed rows, blind indices, audit."""
    url = settings.database.vault_url
    engine = create_database(
        url.get_secret_value() if url else f"sqlite:///{folder.vault_database}"
    )
    migrate(engine, "vault")
    return engine
