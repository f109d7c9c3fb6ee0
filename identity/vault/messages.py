"""What goes over the vault's socket. Bytes are base64url; nothing personal is in a path."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from identity.vault.envelope import MAX_IDENTIFIER_BYTES, MAX_LIKENESSES, MAX_SEALED_BYTES

Code = Annotated[str, Field(min_length=1, max_length=128)]
Ref = Annotated[str, Field(min_length=1, max_length=64)]
Sealed = Annotated[str, Field(max_length=MAX_SEALED_BYTES * 4 // 3 + 4)]
Identifier = Annotated[str, Field(max_length=MAX_IDENTIFIER_BYTES * 4 // 3 + 4)]
MAX_DISTINCT = 64  # people whom one person was told apart from


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class SealRequest(_Strict):
    """`Vault.seal`."""

    owner: Code
    kind: Code
    data: Sealed


class SealOnceRequest(SealRequest):
    """`IdentityVault.seal_once`."""

    identifier: Identifier
    likeness: Annotated[list[Identifier], Field(max_length=MAX_LIKENESSES)] = []
    distinct_from: Annotated[list[Ref], Field(max_length=MAX_DISTINCT)] = []


class FindRequest(_Strict):
    """`IdentityVault.find`."""

    identifier: Identifier


class OpenRequest(_Strict):
    """`Vault.open`."""

    ref: Ref
    purpose: Code
    actor: Code


class ReplaceRequest(_Strict):
    """`IdentityVault.replace`."""

    ref: Ref
    data: Sealed
    likeness: Annotated[list[Identifier], Field(max_length=MAX_LIKENESSES)] | None = None


class AttachRequest(_Strict):
    """`IdentityVault.attach`."""

    ref: Ref
    identifier: Identifier


class MergeRequest(_Strict):
    """`IdentityVault.merge`."""

    ref: Ref
    into: Ref


class SeparateRequest(_Strict):
    """`IdentityVault.separate`."""

    ref: Ref
    merged_into: Ref


class ForgetRequest(_Strict):
    """`Vault.forget`."""

    ref: Ref


class LookAsked(_Strict):
    """An officer asks for a look into one row."""

    ref: Ref
    reason: Code


class RefAnswer(_Strict):
    """A reference, or none."""

    ref: str | None


class RegistrationAnswer(_Strict):
    """`Registration`."""

    ref: str
    new: bool
    similar: list[str]


class DataAnswer(_Strict):
    """What was sealed."""

    data: str


class LookAnswer(_Strict):
    """A look that was asked for."""

    id: str


class Done(_Strict):
    """It is done."""


class OpenedRequest(_Strict):
    """Reads at or after this time, in unix seconds."""

    since: Annotated[int, Field(ge=0, le=2**53 - 1)]


class OpenedAnswer(_Strict):
    """Audit records, oldest first, 1,000 at most: references and codes."""

    records: list[dict[str, str | int]]
