"""one call at a time completes a recovery"""

from alembic import op
import sqlalchemy as sa

revision = "5e0d9a417cb2"
down_revision = "c2a7d51e08bf"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""

    with op.batch_alter_table("guardian_recovery", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("claimed_until", sa.Integer(), server_default="0", nullable=False)
        )


def downgrade() -> None:
    """Undo."""

    with op.batch_alter_table("guardian_recovery", schema=None) as batch_op:
        batch_op.drop_column("claimed_until")
