"""Leaf certificates in the database, so that every instance shows the same one.

A request names its relying party by the hash of the leaf (`x509_hash`), so two instances that made
a leaf each could not serve one request.
"""

from collections.abc import Sequence

from sqlalchemy import Engine, LargeBinary, String, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from identity.adapters.database import Base, transaction


class CertificateRow(Base):
    """The leaf of one institution: `verifier:<slug>`, `issuer:<slug>`, or of its later key.

    That one's scope is `issuer:<slug>#<fragment of the key>`.
    """

    __tablename__ = "certificates"

    scope: Mapped[str] = mapped_column(String(128), primary_key=True)
    leaf: Mapped[bytes] = mapped_column(LargeBinary)


class SqlCertificates:
    """Reads and replaces leaves."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, scope: str) -> bytes | None:
        """DER of the leaf, None when there is none yet."""
        with transaction(self._engine) as db:
            return db.scalars(
                select(CertificateRow.leaf).where(CertificateRow.scope == scope)
            ).one_or_none()

    def replace(self, scope: str, *, known: bytes | None, leaf: bytes) -> None:
        """Put `leaf` in place of `known`; when another instance was faster, its leaf stays."""
        if known is not None:
            with transaction(self._engine) as db:
                db.execute(
                    update(CertificateRow)
                    .where(CertificateRow.scope == scope, CertificateRow.leaf == known)
                    .values(leaf=leaf)
                )
            return
        try:
            with transaction(self._engine) as db:
                db.add(CertificateRow(scope=scope, leaf=leaf))
        except IntegrityError:
            return


class StoredChain:
    """Keeps the promise of `CertificateChain`: the leaf of the moment, whoever renewed it."""

    def __init__(self, store: SqlCertificates, scope: str, above: Sequence[bytes] = ()) -> None:
        self._store, self._scope, self._above = store, scope, tuple(above)

    def current(self) -> tuple[bytes, ...]:
        """As `CertificateChain.current`."""
        leaf = self._store.read(self._scope)
        return () if leaf is None else (leaf, *self._above)
