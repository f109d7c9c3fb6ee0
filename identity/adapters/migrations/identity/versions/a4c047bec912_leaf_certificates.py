"""leaf certificates"""

import sqlalchemy as sa
from alembic import op

revision = "a4c047bec912"
down_revision = "54d3133163f3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "certificates",
        sa.Column("scope", sa.String(length=128), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("scope"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("certificates")
