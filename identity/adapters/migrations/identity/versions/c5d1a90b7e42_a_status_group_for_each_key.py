"""a status group for each key"""

import sqlalchemy as sa
from alembic import op

revision = "c5d1a90b7e42"
down_revision = "37e4e7add382"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("issuer_status_groups", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("key_id", sa.String(length=512), server_default="", nullable=False)
        )


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("issuer_status_groups", schema=None) as batch_op:
        batch_op.drop_column("key_id")
