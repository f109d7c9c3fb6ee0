"""Messages of recovery by guardians."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from identity.core.guardians import MAX_APPROVAL_CHARS, MAX_ORDER_CHARS
from identity.guardians.service import Completed, View

MAX_CREDENTIAL_CHARS = 64 << 10
MAX_PROOF_CHARS = 8 << 10
NAME = r"^[A-Za-z0-9_-]{22}$"


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class RulesAnswer(_Message):
    """What can be arranged here; waits in seconds."""

    min_approvals: int
    max_guardians: int
    min_wait_seconds: int
    max_wait_seconds: int


class OrderRequest(_Message):
    """A copy without disclosures or key binding, and an order signed with its key."""

    credential: Annotated[str, Field(min_length=1, max_length=MAX_CREDENTIAL_CHARS)]
    order: Annotated[str, Field(min_length=1, max_length=MAX_ORDER_CHARS)]


class OrderAnswer(_Message):
    """The name of the new arrangement, for her guardians; none after a withdrawal or a stop."""

    arrangement: str | None


class BeginRequest(_Message):
    """Which arrangement, and a key proof (OpenID4VCI appendix F.1) of the new wallet."""

    arrangement: Annotated[str, Field(pattern=NAME)]
    key_proof: Annotated[str, Field(min_length=1, max_length=MAX_PROOF_CHARS)]


class ApprovalRequest(_Message):
    """A guardian's signed approval."""

    approval: Annotated[str, Field(min_length=1, max_length=MAX_APPROVAL_CHARS)]


class CompleteRequest(_Message):
    """A fresh key proof of the key that was approved."""

    key_proof: Annotated[str, Field(min_length=1, max_length=MAX_PROOF_CHARS)]


class RecoveryView(_Message):
    """How far a recovery is. `ends_at` in unix seconds, 0 before the wait."""

    agency: str
    arrangement: str
    recovery: str
    new_key: str  # RFC 7638 thumbprint
    state: str
    approvals: int
    threshold: int
    ends_at: int

    @staticmethod
    def of(view: View) -> "RecoveryView":
        """As it is shown."""
        return RecoveryView(
            agency=view.case.agency,
            arrangement=view.case.arrangement,
            recovery=view.case.recovery,
            new_key=view.case.new_key,
            state=str(view.state),
            approvals=view.approvals,
            threshold=view.threshold,
            ends_at=view.ends_at,
        )


class CompleteAnswer(_Message):
    """How many credentials ended, and the offers that stand in their place."""

    ended: int
    offers: list[dict[str, Any]]

    @staticmethod
    def of(done: Completed) -> "CompleteAnswer":
        """As it is answered."""
        return CompleteAnswer(ended=done.ended, offers=list(done.offers))
