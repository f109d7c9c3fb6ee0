"""terms and reversals of bindings"""

from alembic import op
import sqlalchemy as sa

revision = "c2a7d51e08bf"
down_revision = "b1f4c60d93ae"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("realname_binding") as batch:
        batch.add_column(sa.Column("died_at", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("before_death", sa.String(length=16), nullable=True))
        batch.add_column(sa.Column("erased_at", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("merged_from", sa.String(length=32), nullable=True))
        batch.add_column(sa.Column("merged_into", sa.String(length=32), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("realname_binding") as batch:
        for name in ("died_at", "before_death", "erased_at", "merged_from", "merged_into"):
            batch.drop_column(name)
