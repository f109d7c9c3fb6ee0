"""What institutions send to the gate, and what they get."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class ReleaseRequest(BaseModel):
    """A case: the sealed record, the salt of the order's commitment, and the order's number."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    sealed: Annotated[dict[str, Any], Field(max_length=16)]
    salt: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
    order: Annotated[int, Field(ge=1, le=2**53 - 1)]


class ReleaseAnswer(BaseModel):
    """The gate's secret, base64url of 32 bytes; worth nothing without the shares."""

    gate: str
