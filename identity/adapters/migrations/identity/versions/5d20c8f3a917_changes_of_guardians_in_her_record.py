"""changes of guardians, for people's own records"""

import base64
import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "5d20c8f3a917"
down_revision = "0b7ce41d9a52"
branch_labels = None
depends_on = None

_ARRANGEMENT = sa.table(
    "guardian_arrangement",
    sa.column("arrangement", sa.String),
    sa.column("agency", sa.String),
    sa.column("subject", sa.String),
    sa.column("signed_order", sa.Text),
    sa.column("holder_key", sa.Text),
    sa.column("created", sa.Integer),
)


def upgrade() -> None:
    """Apply; what people arranged before is told in their records too."""
    change = op.create_table(
        "guardian_change",
        sa.Column("arrangement", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("agency", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("arrangement", "state"),
    )
    op.create_index("ix_guardian_change_agency", "guardian_change", ["agency"])
    for row in op.get_bind().execute(sa.select(_ARRANGEMENT)).all():
        payload = row.signed_order.split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        detail = {
            "guardians": len(said["guardians"]),
            "key": _digest(row.holder_key),  # canonical already: RFC 7638
            "order": _digest(row.signed_order),
            "threshold": said["threshold"],
            "wait_seconds": said["wait_seconds"],
        }
        op.bulk_insert(
            change,
            [
                {
                    "arrangement": row.arrangement,
                    "state": "set",
                    "agency": row.agency,
                    "subject": row.subject,
                    "changed_at": row.created,
                    "detail": json.dumps(detail, sort_keys=True, separators=(",", ":")),
                }
            ],
        )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_guardian_change_agency", table_name="guardian_change")
    op.drop_table("guardian_change")


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
