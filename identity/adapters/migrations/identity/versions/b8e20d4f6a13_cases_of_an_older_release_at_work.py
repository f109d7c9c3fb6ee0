"""cases of an older release at work"""

import sqlalchemy as sa
from alembic import op

revision = "b8e20d4f6a13"
down_revision = "3f96a2c7d810"
branch_labels = None
depends_on = None

_UNKNOWN_TO_IT = ("touched_at", "carried_out_at")


def upgrade() -> None:
    """Apply. A release of before d81f0a6c37e2 on this database writes neither column."""
    with op.batch_alter_table("realname_case") as batch:
        for name in _UNKNOWN_TO_IT:
            batch.alter_column(
                name, existing_type=sa.BigInteger(), existing_nullable=False, server_default="0"
            )


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("realname_case") as batch:
        for name in _UNKNOWN_TO_IT:
            batch.alter_column(
                name, existing_type=sa.BigInteger(), existing_nullable=False, server_default=None
            )
