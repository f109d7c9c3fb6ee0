"""Tables of the verifier: requests with sealed results, and status versions already seen."""

from sqlalchemy import LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from identity.adapters.database import Base


class RequestRow(Base):
    """A presentation request. No claim of a citizen is in it in clear."""

    __tablename__ = "verifier_requests"

    request: Mapped[str] = mapped_column(String(64), primary_key=True)
    party: Mapped[str] = mapped_column(String(64))
    purpose: Mapped[str] = mapped_column(String(64))
    query: Mapped[str] = mapped_column(Text)
    nonce: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))
    secret_digest: Mapped[bytes] = mapped_column(LargeBinary)
    result_key: Mapped[bytes] = mapped_column(LargeBinary)
    answer_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    client_id: Mapped[str] = mapped_column(Text)
    delivery: Mapped[str] = mapped_column(String(16))
    return_to: Mapped[str | None] = mapped_column(Text)
    response_code: Mapped[bytes | None] = mapped_column(LargeBinary)
    pseudonym: Mapped[str] = mapped_column(String(16), server_default="none")
    created_at: Mapped[int]
    expires_at: Mapped[int]
    delete_after: Mapped[int] = mapped_column(index=True)


class SeenVersionRow(Base):
    """The newest version of a status list that any instance has seen."""

    __tablename__ = "verifier_seen_versions"

    uri_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    version: Mapped[int]
