"""Tables of the vault's own database. Ciphertexts, keyed digests, codes: nothing readable."""

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class VaultBase(DeclarativeBase):
    """Tables of the vault; never in the database of the identity services."""


class VaultRow(VaultBase):
    """A sealed row, or what is left of a forgotten one: its reference, and when it went."""

    __tablename__ = "vault_row"

    ref: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(128))
    version: Mapped[int]
    sealed_at: Mapped[int] = mapped_column(BigInteger)
    key_id: Mapped[str | None] = mapped_column(String(64), index=True)
    wrapped_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    nonce: Mapped[bytes | None] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary)
    forgotten_at: Mapped[int | None] = mapped_column(BigInteger)


class VaultIndex(VaultBase):
    """One identifier, one row: the primary key is what makes it so, also between processes."""

    __tablename__ = "vault_index"
    __table_args__ = (Index("vault_index_key_ref", "key_id", "ref"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(64))
    ref: Mapped[str] = mapped_column(ForeignKey("vault_row.ref"), index=True)


class VaultLikeness(VaultBase):
    """What similar people share. Several rows may have one."""

    __tablename__ = "vault_likeness"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    ref: Mapped[str] = mapped_column(ForeignKey("vault_row.ref"), primary_key=True, index=True)
    key_id: Mapped[str] = mapped_column(String(64), index=True)


class VaultKeyUse(VaultBase):
    """A key that rows or indices are under, by name alone. A retired one is never used again."""

    __tablename__ = "vault_key"

    key_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    use: Mapped[str] = mapped_column(String(8))  # `index` or `wrap`
    retired: Mapped[bool]


class VaultAudit(VaultBase):
    """The second audit sink; the first is a file. Rows are only ever added."""

    __tablename__ = "vault_audit"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    time: Mapped[int] = mapped_column(BigInteger, index=True)
    action: Mapped[str] = mapped_column(String(32))
    ref: Mapped[str] = mapped_column(String(32), index=True)
    actor: Mapped[str] = mapped_column(String(128))
    purpose: Mapped[str] = mapped_column(String(128))


class VaultException(VaultBase):
    """A look at one row that two officers agree on. Codes and names of officers alone."""

    __tablename__ = "vault_exception"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    ref: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(128))
    asked_by: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[int] = mapped_column(BigInteger)
    approved_by: Mapped[str | None] = mapped_column(String(64))
    approved_at: Mapped[int | None] = mapped_column(BigInteger)
    used_at: Mapped[int | None] = mapped_column(BigInteger)
