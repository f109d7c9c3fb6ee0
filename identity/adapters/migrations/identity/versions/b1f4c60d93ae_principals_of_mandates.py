"""principals of mandates"""

from alembic import op
import sqlalchemy as sa

revision = "b1f4c60d93ae"
down_revision = "a9d4e7f10b35"
branch_labels = None
depends_on = None

TABLES = ("issuer_offers", "issuer_issuances")


def upgrade() -> None:
    """Apply."""
    for table in TABLES:
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("principal", sa.String(length=128), nullable=True))
            batch.add_column(
                sa.Column("durable", sa.Boolean(), server_default=sa.false(), nullable=False)
            )
            batch.create_index(f"ix_{table}_principal", ["principal"])


def downgrade() -> None:
    """Undo."""
    for table in TABLES:
        with op.batch_alter_table(table) as batch:
            batch.drop_index(f"ix_{table}_principal")
            batch.drop_column("durable")
            batch.drop_column("principal")
