"""keep a key for encrypted answers"""

import sqlalchemy as sa
from alembic import op

revision = "54d3133163f3"
down_revision = "05e18ceaaaea"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("verifier_requests", schema=None) as batch_op:
        batch_op.add_column(sa.Column("answer_key", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("verifier_requests", schema=None) as batch_op:
        batch_op.drop_column("answer_key")
