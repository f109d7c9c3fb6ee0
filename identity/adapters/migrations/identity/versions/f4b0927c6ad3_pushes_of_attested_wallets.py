"""pushes of attested wallets"""

import sqlalchemy as sa
from alembic import op

revision = "f4b0927c6ad3"
down_revision = "d81f0a6c37e2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("issuer_authorizations", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("attested", sa.Boolean(), server_default=sa.false(), nullable=False)
        )


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("issuer_authorizations", schema=None) as batch_op:
        batch_op.drop_column("attested")
