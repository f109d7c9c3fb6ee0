"""What relying parties send, and what they get. What wallets send is read in `wallet_routes`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from identity.core.client_identifier import ClientDid, ClientIdPrefix
from identity.core.dcql import CredentialFormat
from identity.core.parties import RelyingParty
from identity.core.presentation_request import Delivery
from identity.core.pseudonym import Wish
from identity.verifier.asking import Ask
from identity.verifier.service import OpenedRequest

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$")]


class AskedCredentialMessage(BaseModel):
    """Claims of one credential type that a purpose asks for, as paths."""

    type: str
    claims: list[list[str | int | None]]


class PurposeMessage(BaseModel):
    """A reason to ask, in the languages that citizens read."""

    purpose: str
    description: dict[str, str]
    credentials: list[AskedCredentialMessage]
    pseudonym: bool  # whether it may ask to know the same wallet again


class PartyMessage(BaseModel):
    """A relying party and its purposes."""

    party: str
    name: dict[str, str]
    purposes: list[PurposeMessage]

    @classmethod
    def of(cls, party: RelyingParty) -> "PartyMessage":
        """From the configured party."""
        return cls(
            party=party.did,
            name=dict(party.name),
            purposes=[
                PurposeMessage(
                    purpose=purpose.code,
                    description=dict(purpose.description),
                    credentials=[
                        AskedCredentialMessage(
                            type=asked.type, claims=[list(path) for path in asked.claims]
                        )
                        for asked in purpose.credentials
                    ],
                    pseudonym=purpose.pseudonym,
                )
                for purpose in party.purposes
            ],
        )


class AskMessage(BaseModel):
    """Ask a wallet for what a registered purpose needs.

    - `format`: of each credential; `query`: a DCQL query of one's own instead, within what is
      registered for the purpose.
    - `client_id_prefix`, `did`: the name to ask under. Wallets that know no ledger take
      `x509_hash`, `x509_san_dns`, or a `did` of the kind `jwk` or `web`.
    - `delivery`: `uri` (signed, by request_uri), `value` (signed, in the link), or `query`
      (unsigned, for `redirect_uri` alone).
    - `encrypted`: the wallet answers by `direct_post.jwt`.
    - `return_to`: in the same device, the page that the wallet sends the browser back to; the
      result then also needs the `response_code` that the page finds in its own address.
    - `reference`: from the citizen's QR code, when she showed one; her wallet then finds the
      request by itself.
    - `pseudonym`: `wanted` or `required`, to know the same wallet again when it comes back; only
      where the ledger has it registered for the purpose. It is
      no proof that a person has one pseudonym only.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    purpose: Code
    reference: Reference | None = None
    format: CredentialFormat = CredentialFormat.SD_JWT_VC
    query: dict[str, Any] | None = None
    client_id_prefix: ClientIdPrefix | None = None
    did: ClientDid = ClientDid.LEDGER
    delivery: Delivery | None = None
    encrypted: bool | None = None
    return_to: str = ""
    pseudonym: Wish = Wish.NONE

    def to_ask(self, party: RelyingParty) -> Ask:
        """With what this relying party does where the message says nothing."""
        usual = ClientIdPrefix.X509_HASH if party.haip else ClientIdPrefix.DID
        prefix = self.client_id_prefix or usual
        unsigned = prefix is ClientIdPrefix.REDIRECT_URI
        return Ask(
            purpose=self.purpose,
            credential_format=self.format,
            query=self.query,
            prefix=prefix,
            did=self.did,
            delivery=self.delivery or (Delivery.QUERY if unsigned else Delivery.URI),
            encrypted=party.haip if self.encrypted is None else self.encrypted,
            return_to=self.return_to,
            reference=self.reference or "",
            pseudonym=self.pseudonym,
        )


class AskedMessage(BaseModel):
    """A new request. Show `link` as QR code or link; keep `result_secret`, it is told once.

    Across devices show `matching_code` too: the wallet shows the same digits.
    """

    request: str
    request_uri: str
    link: str
    result_secret: str
    client_id: str
    matching_code: str
    expires_in: int

    @classmethod
    def of(cls, opened: OpenedRequest) -> "AskedMessage":
        """From the service's answer."""
        return cls(
            request=opened.request,
            request_uri=opened.request_uri,
            link=opened.link,
            result_secret=opened.result_secret,
            client_id=opened.client_id,
            matching_code=opened.matching_code,
            expires_in=opened.expires_in,
        )


class CheckMessage(BaseModel):
    """What one check said."""

    check: str
    outcome: Literal["passed", "failed", "not_applicable"]
    reason: str
    detail: str


class VerdictMessage(BaseModel):
    """Every check by name, and a yes only if each is fine.

    `pseudonym`: the same for the same wallet at this relying party, where one was asked for.
    """

    verified: bool
    checks: list[CheckMessage]
    credentials: list[dict[str, Any]]
    verified_at: str
    pseudonym: str | None = None


class ReasonMessage(BaseModel):
    """Why a wallet declined, as a code of OpenID4VP."""

    error: str


class ResultMessage(BaseModel):
    """State of a request; `verdict` when it was answered, `reason` when it was declined.

    `returning`: answered in the same device; the code that came back with the browser is missing.
    """

    state: Literal["pending", "returning", "answered", "declined", "expired"]
    verdict: VerdictMessage | None = None
    reason: ReasonMessage | None = None


class ProblemMessage(BaseModel):
    """One reason why something was not verified.

    `type` is a URL, of the specifications where they define one; `reason` is our own code.
    """

    type: str
    title: str
    detail: str
    reason: str | None = None


class NotVerifiedMessage(VerdictMessage):
    """VC API: the verdict "no", with a problem for each failed check."""

    problemDetails: list[ProblemMessage]  # noqa: N815 - the VC API's own spelling
