"""questions of each agency"""

import sqlalchemy as sa
from alembic import op

revision = "7c1e5b90d2a4"
down_revision = "5d20c8f3a917"
branch_labels = None
depends_on = None

# Databases name a constraint differently that has no name; on SQLite it is found by this rule.
_NAMES = {"uq": "%(table_name)s_%(column_0_name)s_%(column_1_name)s_key"}
_OLD, _NEW = "realname_case_kind_applicant_key", "realname_case_question"
_CASE = sa.table(
    "realname_case",
    *map(sa.column, ("id", "kind", "applicant", "agency", "state", "verdict", "barred")),
    sa.column("asked_by", sa.String),
    sa.column("in_effect", sa.Boolean),
)


def upgrade() -> None:
    """Apply. An older release on this database asks for nobody, and notes no effect."""
    with op.batch_alter_table("realname_case", naming_convention=_NAMES) as batch:
        batch.add_column(
            sa.Column("asked_by", sa.String(length=64), nullable=False, server_default="")
        )
        batch.add_column(
            sa.Column("in_effect", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch.drop_constraint(_OLD, type_="unique")
        batch.create_unique_constraint(_NEW, ["kind", "applicant", "asked_by"])
    case = _CASE
    asked = case.update().where(case.c.kind != "similar")
    op.execute(asked.values(asked_by=case.c.agency))
    # What was decided before an appeal is not noted; undoing what was not done changes nothing.
    done = (case.c.barred != "") | ((case.c.state == "decided") & (case.c.verdict == "same"))
    op.execute(asked.where(done).values(in_effect=sa.true()))
    op.create_table(
        "realname_case_handle",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("agency", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("case_id", "agency"),
    )


def downgrade() -> None:
    """Undo. Of one question that several agencies asked, one case stays."""
    op.drop_table("realname_case_handle")
    other = _CASE.alias()
    op.execute(
        _CASE.delete().where(
            sa.exists().where(
                other.c.kind == _CASE.c.kind,
                other.c.applicant == _CASE.c.applicant,
                other.c.id < _CASE.c.id,
            )
        )
    )
    with op.batch_alter_table("realname_case") as batch:
        batch.drop_constraint(_NEW, type_="unique")
        batch.create_unique_constraint(_OLD, ["kind", "applicant"])
        batch.drop_column("in_effect")
        batch.drop_column("asked_by")
