"""cases and erasures in steps"""

import time

from alembic import op
import sqlalchemy as sa

revision = "d81f0a6c37e2"
down_revision = "e1c84d7a2f60"
branch_labels = None
depends_on = None

_NEW = ("touched_at", "carried_out_at")


def upgrade() -> None:
    """Apply. When an open case was touched nobody noted, so its term begins now."""
    with op.batch_alter_table("realname_binding") as batch:
        batch.add_column(sa.Column("forgotten_at", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("before_merge", sa.String(length=16), nullable=True))
    op.execute("UPDATE realname_binding SET forgotten_at = erased_at")
    with op.batch_alter_table("realname_case") as batch:
        for name in _NEW:
            batch.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    case = sa.table("realname_case", *map(sa.column, ("state", "decided_at", *_NEW)))
    op.execute(case.update().values(touched_at=int(time.time())))
    op.execute(
        case.update()
        .where(case.c.state == "decided")
        .values(touched_at=case.c.decided_at, carried_out_at=case.c.decided_at)
    )
    with op.batch_alter_table("realname_case") as batch:
        batch.alter_column("touched_at", server_default=None)
        batch.alter_column("carried_out_at", server_default=None)
        batch.create_index("ix_realname_case_touched_at", ["touched_at"])


def downgrade() -> None:
    """Undo. A case that was being destroyed is one that somebody has to look at."""
    op.execute("UPDATE realname_case SET state = 'open' WHERE state = 'ending'")
    with op.batch_alter_table("realname_case") as batch:
        batch.drop_index("ix_realname_case_touched_at")
        batch.drop_column("touched_at")
        batch.drop_column("carried_out_at")
    with op.batch_alter_table("realname_binding") as batch:
        batch.drop_column("forgotten_at")
        batch.drop_column("before_merge")
