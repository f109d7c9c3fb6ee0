"""The vault's narrow protocol, spoken over its own socket to callers with a key of their own.

Identity services have the scope `vault:service`; officers have `officer:<name>` each, so that who
asks and who agrees is proven by two keys. There is no call that lists rows, and none that tells
which identifiers are known without naming one.
"""

from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Response

from identity.core.access import AccessDenied, AccessKeys
from identity.vault.break_glass import BreakGlass
from identity.vault.messages import (
    AttachRequest,
    DataAnswer,
    Done,
    FindRequest,
    ForgetRequest,
    LookAnswer,
    LookAsked,
    MergeRequest,
    OpenedAnswer,
    OpenedRequest,
    OpenRequest,
    RefAnswer,
    RegistrationAnswer,
    ReplaceRequest,
    SealOnceRequest,
    SealRequest,
    SeparateRequest,
)
from identity.vault.ports import IdentityVault
from identity.vault.records import AuditRecord
from registry.core.encoding import base64url_decode, base64url_encode
from registry.problems import responses
from registry.routers import join_routers

SERVICE_SCOPE = "vault:service"
_Bearer = Annotated[str | None, Header(alias="Authorization", max_length=512)]
_Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22}$")]


def build_router(
    *,
    vault: IdentityVault,
    looks: BreakGlass,
    access: AccessKeys,
    officer_of: Callable[[str | None], str],
    opened_since: Callable[[int], Sequence[AuditRecord]] | None = None,
) -> APIRouter:
    """Routes below `/vault`.

    Args:
        vault: the vault of this process.
        looks: what two officers may do together.
        access: opens the scope `vault:service`.
        officer_of: name of the officer whose access key is presented; raises `AccessDenied`.
        opened_since: audit records of reads at or after a time, for people's own records.
    """

    def service(authorization: _Bearer = None) -> None:
        access.check(SERVICE_SCOPE, _bearer(authorization))

    def officer(authorization: _Bearer = None) -> str:
        return officer_of(_bearer(authorization))

    router = APIRouter(prefix="/vault", tags=["vault"])
    calls = APIRouter(prefix="/vault", tags=["vault"], dependencies=[Depends(service)])
    refused = responses(400, 403, 404, 409, 503)

    @calls.post("/seal", responses=refused)
    def seal(body: SealRequest) -> RefAnswer:
        """Store bytes; an opaque reference."""
        data = base64url_decode(body.data)
        return RefAnswer(ref=vault.seal(owner=body.owner, kind=body.kind, data=data))

    @calls.post("/seal-once", responses=refused)
    def seal_once(body: SealOnceRequest) -> RegistrationAnswer:
        """Store bytes under an identifier, unless a row is there already."""
        done = vault.seal_once(
            identifier=base64url_decode(body.identifier),
            owner=body.owner,
            kind=body.kind,
            data=base64url_decode(body.data),
            likeness=[base64url_decode(value) for value in body.likeness],
            distinct_from=body.distinct_from,
        )
        return RegistrationAnswer(ref=done.ref, new=done.new, similar=list(done.similar))

    @calls.post("/find", responses=refused)
    def find(body: FindRequest) -> RefAnswer:
        """The reference under an identifier."""
        return RefAnswer(ref=vault.find(base64url_decode(body.identifier)))

    @calls.post("/open", responses=refused)
    def open_row(body: OpenRequest, response: Response) -> DataAnswer:
        """The bytes behind a reference, after the read is on record."""
        response.headers["Cache-Control"] = "no-store"
        data = vault.open(body.ref, purpose=body.purpose, actor=body.actor)
        return DataAnswer(data=base64url_encode(data))

    @calls.post("/replace", responses=refused)
    def replace(body: ReplaceRequest) -> Done:
        """Seal new bytes under a reference."""
        likeness = body.likeness
        vault.replace(
            body.ref,
            data=base64url_decode(body.data),
            likeness=None if likeness is None else [base64url_decode(value) for value in likeness],
        )
        return Done()

    @calls.post("/attach", responses=refused)
    def attach(body: AttachRequest) -> Done:
        """Let a further identifier lead to a reference."""
        vault.attach(body.ref, identifier=base64url_decode(body.identifier))
        return Done()

    @calls.post("/merge", responses=refused)
    def merge(body: MergeRequest) -> Done:
        """Let one reference take the identifiers of another."""
        vault.merge(body.ref, into=body.into)
        return Done()

    @calls.post("/separate", responses=refused)
    def separate(body: SeparateRequest) -> RefAnswer:
        """Undo a merger."""
        return RefAnswer(ref=vault.separate(body.ref, merged_into=body.merged_into))

    @calls.post("/forget", responses=refused)
    def forget(body: ForgetRequest) -> Done:
        """Destroy what is behind a reference."""
        vault.forget(body.ref)
        return Done()

    @calls.post("/opened", responses=refused)
    def opened(body: OpenedRequest) -> OpenedAnswer:
        """Who read which rows, why and when, since a time; references and codes alone."""
        found = opened_since(body.since) if opened_since is not None else ()
        return OpenedAnswer(records=[dict(record.members()) for record in found])

    @router.post("/looks", status_code=201, responses=refused)
    def ask(body: LookAsked, who: Annotated[str, Depends(officer)]) -> LookAnswer:
        """One officer asks for a look into one row, with a reason."""
        return LookAnswer(id=looks.ask(body.ref, reason=body.reason, officer=who).id)

    @router.post("/looks/{look}/approve", responses=refused)
    def approve(look: _Id, who: Annotated[str, Depends(officer)]) -> Done:
        """Another officer agrees."""
        looks.approve(look, officer=who)
        return Done()

    @router.post("/looks/{look}/open", responses=refused)
    def look_into(
        look: _Id, who: Annotated[str, Depends(officer)], response: Response
    ) -> DataAnswer:
        """The first one looks, once."""
        response.headers["Cache-Control"] = "no-store"
        return DataAnswer(data=base64url_encode(looks.look(look, officer=who)))

    return join_routers(router, calls)


def _bearer(authorization: str | None) -> str | None:
    """The token of an `Authorization: Bearer` header (RFC 6750 §2.1)."""
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AccessDenied("a bearer access key is required")
    return token.strip()
