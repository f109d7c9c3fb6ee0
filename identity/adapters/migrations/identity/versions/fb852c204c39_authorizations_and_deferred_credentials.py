"""authorizations, identification codes, deferred credentials"""

import sqlalchemy as sa
from alembic import op

revision = "fb852c204c39"
down_revision = "7473fb05b94e"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "issuer_authorizations",
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("agency", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=512), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("code_challenge", sa.String(length=64), nullable=False),
        sa.Column("credential_type", sa.String(length=64), nullable=False),
        sa.Column("configurations", sa.Text(), nullable=False),
        sa.Column("with_identifiers", sa.Boolean(), nullable=False),
        sa.Column("offer", sa.String(length=64), nullable=True),
        sa.Column("dpop_thumbprint", sa.String(length=64), nullable=True),
        sa.Column("browser_digest", sa.LargeBinary(), nullable=True),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(), nullable=True),
        sa.Column("code_expires_at", sa.Integer(), nullable=True),
        sa.Column("granted_offer", sa.String(length=64), nullable=True),
        sa.Column("expires_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("request_digest"),
        sa.UniqueConstraint("code_digest"),
    )
    with op.batch_alter_table("issuer_authorizations", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_issuer_authorizations_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "issuer_deferred",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("agency", sa.String(length=64), nullable=False),
        sa.Column("offer", sa.String(length=64), nullable=False),
        sa.Column("configuration", sa.String(length=128), nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.Column("fetched", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    with op.batch_alter_table("issuer_deferred", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_issuer_deferred_expires_at"), ["expires_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_issuer_deferred_offer"), ["offer"], unique=False)

    op.create_table(
        "issuer_identification_codes",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("agency", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    with op.batch_alter_table("issuer_identification_codes", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_issuer_identification_codes_expires_at"), ["expires_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_issuer_identification_codes_subject"), ["subject"], unique=False
        )

    with op.batch_alter_table("issuer_offers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("issuer_state_digest", sa.LargeBinary(), nullable=True))
        batch_op.add_column(
            sa.Column("pre_authorized", sa.Boolean(), server_default=sa.true(), nullable=False)
        )
        batch_op.add_column(
            sa.Column("review", sa.String(length=16), server_default="none", nullable=False)
        )
        batch_op.create_unique_constraint("issuer_offers_issuer_state", ["issuer_state_digest"])

    with op.batch_alter_table("issuer_tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("client_id", sa.String(length=512), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("issuer_tokens", schema=None) as batch_op:
        batch_op.drop_column("client_id")

    with op.batch_alter_table("issuer_offers", schema=None) as batch_op:
        batch_op.drop_constraint("issuer_offers_issuer_state", type_="unique")
        batch_op.drop_column("review")
        batch_op.drop_column("pre_authorized")
        batch_op.drop_column("issuer_state_digest")

    with op.batch_alter_table("issuer_identification_codes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_issuer_identification_codes_subject"))
        batch_op.drop_index(batch_op.f("ix_issuer_identification_codes_expires_at"))

    op.drop_table("issuer_identification_codes")
    with op.batch_alter_table("issuer_deferred", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_issuer_deferred_offer"))
        batch_op.drop_index(batch_op.f("ix_issuer_deferred_expires_at"))

    op.drop_table("issuer_deferred")
    with op.batch_alter_table("issuer_authorizations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_issuer_authorizations_expires_at"))

    op.drop_table("issuer_authorizations")
