"""status lists as cwt"""

import sqlalchemy as sa
from alembic import op

revision = "a9d4e7f10b35"
down_revision = "b6f31d08c2a7"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("issuer_status_documents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("token_cwt", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("issuer_status_documents", schema=None) as batch_op:
        batch_op.drop_column("token_cwt")
