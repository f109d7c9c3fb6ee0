"""wishes for a pseudonym"""

import sqlalchemy as sa
from alembic import op

revision = "d7b2e90c4a18"
down_revision = "81a4123bca44"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("verifier_requests", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("pseudonym", sa.String(length=16), server_default="none", nullable=False)
        )


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("verifier_requests", schema=None) as batch_op:
        batch_op.drop_column("pseudonym")
