"""guardians and their recoveries"""

from alembic import op
import sqlalchemy as sa

revision = "81a4123bca44"
down_revision = "902e125381f6"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""

    op.create_table(
        "guardian_approval",
        sa.Column("recovery", sa.String(length=64), nullable=False),
        sa.Column("guardian", sa.String(length=64), nullable=False),
        sa.Column("approval", sa.Text(), nullable=False),
        sa.Column("came", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("recovery", "guardian"),
    )
    op.create_table(
        "guardian_arrangement",
        sa.Column("arrangement", sa.String(length=64), nullable=False),
        sa.Column("agency", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("signed_order", sa.Text(), nullable=False),
        sa.Column("holder_key", sa.Text(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("arrangement"),
        sa.UniqueConstraint("subject", name="guardian_arrangement_subject"),
    )
    op.create_table(
        "guardian_recovery",
        sa.Column("recovery", sa.String(length=64), nullable=False),
        sa.Column("arrangement", sa.String(length=64), nullable=False),
        sa.Column("agency", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("new_key", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("begun", sa.Integer(), nullable=False),
        sa.Column("open_until", sa.Integer(), nullable=False),
        sa.Column("waiting_since", sa.Integer(), nullable=False),
        sa.Column("closed_at", sa.Integer(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("recovery"),
    )
    with op.batch_alter_table("guardian_recovery", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_guardian_recovery_arrangement"), ["arrangement"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_guardian_recovery_waiting_since"), ["waiting_since"], unique=False
        )


def downgrade() -> None:
    """Undo."""

    with op.batch_alter_table("guardian_recovery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_guardian_recovery_waiting_since"))
        batch_op.drop_index(batch_op.f("ix_guardian_recovery_arrangement"))

    op.drop_table("guardian_recovery")
    op.drop_table("guardian_arrangement")
    op.drop_table("guardian_approval")
