"""what a token covers"""

import sqlalchemy as sa
from alembic import op

revision = "b6f31d08c2a7"
down_revision = "f3c4d2a8b6e1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("issuer_tokens", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("configurations", sa.Text(), server_default="", nullable=False)
        )


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("issuer_tokens", schema=None) as batch_op:
        batch_op.drop_column("configurations")
