"""mergers, one after the other"""

import sqlalchemy as sa
from alembic import op

revision = "0b7ce41d9a52"
down_revision = "f4b0927c6ad3"
branch_labels = None
depends_on = None

_BINDING = sa.table(
    "realname_binding",
    sa.column("person", sa.String),
    sa.column("merged_from", sa.String),
    sa.column("merged_into", sa.String),
)


def upgrade() -> None:
    """Apply; mergers of before are read off the bindings, as far as these still tell of them."""
    merger = op.create_table(
        "realname_merger",
        sa.Column("ended", sa.String(length=32), nullable=False),
        sa.Column("merged_into", sa.String(length=32), nullable=False),
        sa.Column("merged_at", sa.BigInteger(), nullable=False),
        sa.Column("separated_at", sa.BigInteger(), nullable=True),
        sa.Column("known_as", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("ended"),
    )
    for name in ("merged_into", "known_as"):
        op.create_index(f"ix_realname_merger_{name}", "realname_merger", [name])
    ended: dict[str, str] = {}
    rows = op.get_bind().execute(
        sa.select(_BINDING.c.person, _BINDING.c.merged_from, _BINDING.c.merged_into).where(
            _BINDING.c.merged_from.is_not(None) | _BINDING.c.merged_into.is_not(None)
        )
    )
    for person, merged_from, merged_into in rows:
        if merged_into is not None:
            ended[person] = merged_into
        if merged_from is not None:
            ended[merged_from] = person
    if ended:  # when it was, nothing tells
        op.bulk_insert(
            merger,
            [
                {"ended": one, "merged_into": other, "merged_at": 0}
                for one, other in sorted(ended.items())
            ],
        )


def downgrade() -> None:
    """Undo."""
    for name in ("known_as", "merged_into"):
        op.drop_index(f"ix_realname_merger_{name}", table_name="realname_merger")
    op.drop_table("realname_merger")
