"""names and ways of requests

Revision ID: a3f0c1d2e4b5
Revises: a4c047bec912
"""

import sqlalchemy as sa
from alembic import op

revision = "a3f0c1d2e4b5"
down_revision = "a4c047bec912"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # Requests live ten minutes; those of before have no client identifier of their own.
    op.execute("DELETE FROM verifier_requests")
    with op.batch_alter_table("verifier_requests", schema=None) as batch_op:
        batch_op.add_column(sa.Column("client_id", sa.Text(), nullable=False))
        batch_op.add_column(sa.Column("delivery", sa.String(length=16), nullable=False))
        batch_op.add_column(sa.Column("return_to", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("response_code", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("verifier_requests", schema=None) as batch_op:
        batch_op.drop_column("response_code")
        batch_op.drop_column("return_to")
        batch_op.drop_column("delivery")
        batch_op.drop_column("client_id")
