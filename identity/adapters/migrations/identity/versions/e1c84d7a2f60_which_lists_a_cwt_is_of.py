"""which lists a cwt is of"""

import sqlalchemy as sa
from alembic import op

revision = "e1c84d7a2f60"
down_revision = "5e0d9a417cb2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("issuer_status_documents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cwt_version", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("cwt_signed_at", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("issuer_status_documents", schema=None) as batch_op:
        batch_op.drop_column("cwt_signed_at")
        batch_op.drop_column("cwt_version")
