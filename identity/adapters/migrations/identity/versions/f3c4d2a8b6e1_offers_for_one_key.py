"""offers for one key"""

import sqlalchemy as sa
from alembic import op

revision = "f3c4d2a8b6e1"
down_revision = "d7b2e90c4a18"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("issuer_offers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("dpop_thumbprint", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("issuer_offers", schema=None) as batch_op:
        batch_op.drop_column("dpop_thumbprint")
