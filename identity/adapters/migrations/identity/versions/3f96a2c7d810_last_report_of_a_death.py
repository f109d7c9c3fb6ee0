"""last report of a death"""

import sqlalchemy as sa
from alembic import op

revision = "3f96a2c7d810"
down_revision = "7c1e5b90d2a4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Of deaths that were reported before, the first report is all that is known."""
    with op.batch_alter_table("realname_binding") as batch:
        batch.add_column(sa.Column("death_reported_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("realname_binding") as batch:
        batch.drop_column("death_reported_at")
