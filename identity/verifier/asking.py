"""How a relying party asks: which query, under which name, delivered how."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from identity.core import asking, haip, presentation_request
from identity.core.client_identifier import (
    ClientDid,
    ClientIdentifier,
    ClientIdPrefix,
    client_identifier,
    prefix_of,
)
from identity.core.credential_types import Catalogue
from identity.core.dcql import CredentialFormat, parse_dcql, refuse_unjudged_authorities
from identity.core.encrypted_answer import AnswerKey
from identity.core.mdoc import Handover
from identity.core.parties import RelyingParty
from identity.core.presentation_request import Delivery, ProvenRegistration, RequestIds
from identity.core.pseudonym import Wish
from identity.verifier.ports import Registry, StoredRequest
from registry.core.encoding import JsonObject, base64url_decode, parse_json_object
from registry.core.refusals import Malformed, NotPermitted

SCHEME = "openid4vp"
MAX_RETURN_CHARS = 2048
MAX_METADATA_CHARS = 64 << 10


class AskMalformed(Malformed):
    """A request cannot be made in this way, with the reason."""


class WalletMetadataMalformed(Malformed):
    """`wallet_metadata` is no JSON object."""


class WalletCannot(NotPermitted):
    """The wallet says of itself that it cannot answer this request."""


class RequestNameChanged(NotPermitted):
    """The certificate or key that the request was made under has been replaced; ask again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a relying party wants, and how.

    Args:
        purpose: code of a registered purpose.
        credential_format: of every credential, when the query is that of the purpose.
        query: a DCQL query of the party's own, within the purpose's registration; None for that of
            the purpose.
        prefix, did: the name to ask under.
        delivery: how the wallet gets the request.
        encrypted: only an answer by `direct_post.jwt` is taken.
        return_to: page that the wallet sends the browser back to, in the same device; empty across.
        reference: of a wallet that waits, when the citizen showed a code; else empty.
        pseudonym: whether the party wants to know this wallet again.
    """

    purpose: str
    credential_format: CredentialFormat
    query: JsonObject | None
    prefix: ClientIdPrefix
    did: ClientDid
    delivery: Delivery
    encrypted: bool
    return_to: str
    reference: str
    pseudonym: Wish


class Asking:
    """Makes queries, links and signed objects. Holds no state."""

    def __init__(self, *, registry: Registry, catalogue: Catalogue) -> None:
        self._registry = registry
        self._catalogue = catalogue

    def query(self, party: RelyingParty, ask: Ask) -> JsonObject:
        """The query that `ask` stands for, held to the registration and to the party's profile.

        Raises:
            PurposeUnknown, AsksTooMuch: the party may not ask that.
            ProfileDemandsMore, AskMalformed: not in this way.
            QueryMalformed, UnknownCredentialType: the query is none that is answered here.
        """
        purpose = asking.purpose_of(party, ask.purpose)
        unsigned = ask.prefix is ClientIdPrefix.REDIRECT_URI
        if unsigned is not (ask.delivery is Delivery.QUERY):
            raise AskMalformed(
                "a request under redirect_uri is unsigned, all in the query string; no other is"
            )
        _refuse_odd_return(ask.return_to)
        proven = self._registry.relying_party(party.did)
        registration = proven.record if proven else None
        if ask.query is None:
            asking.refuse_over_asking(purpose, registration)
            query = asking.build_query(purpose, self._catalogue, ask.credential_format)
        else:
            asking.refuse_unknown_members(ask.query)
            query = ask.query
        asking.refuse_unregistered_pseudonym(
            ask.pseudonym, purpose=purpose.code, registration=registration
        )
        parsed = parse_dcql(query)
        refuse_unjudged_authorities(parsed)
        asking.refuse_over_query(
            parsed, purpose=purpose.code, registration=registration, catalogue=self._catalogue
        )
        if not all(wanted.requires_holder_binding for wanted in parsed.credentials):
            raise AskMalformed("a presentation without its holder's proof is not taken here")
        if party.haip:
            haip.refuse_weaker_request(
                prefix=ask.prefix,
                delivery=ask.delivery,
                encrypted=ask.encrypted,
                formats=[wanted.format for wanted in parsed.credentials],
            )
        return query

    def name(self, party: RelyingParty, ask: Ask, request: str) -> ClientIdentifier:
        """The name that request number `request` is made under."""
        return client_identifier(
            party, ask.prefix, did=ask.did, response_uri=self.response_uri(party, request)
        )

    def link(self, party: RelyingParty, stored: StoredRequest) -> str:
        """The link for QR code or button."""
        if stored.delivery == Delivery.URI:
            uri = self.request_uri(party, stored.request)
            return presentation_request.link_by_reference(stored.client_id, uri, scheme=SCHEME)
        if stored.delivery == Delivery.VALUE:
            signed = self.signed(party, stored, wallet_nonce="")
            return presentation_request.link_by_value(stored.client_id, signed, scheme=SCHEME)
        parameters = self._parameters(party, stored)
        return presentation_request.link_with_parameters(parameters, scheme=SCHEME)

    def signed(self, party: RelyingParty, stored: StoredRequest, *, wallet_nonce: str) -> str:
        """The signed request object.

        Raises:
            AsksTooMuch: the registration was taken back meanwhile.
            RequestNameChanged: the party cannot sign under that name any more.
        """
        name = client_identifier(
            party,
            prefix_of(stored.client_id),
            did=_did_of(stored.client_id),
            response_uri=self.response_uri(party, stored.request),
        )
        if name.value != stored.client_id:
            raise RequestNameChanged("the relying party's key was replaced; ask again")
        return presentation_request.sign_request(
            self._parameters(party, stored),
            name=name,
            ids=self._ids(party, stored),
            wallet_nonce=wallet_nonce,
        )

    def hear_wallet(self, stored: StoredRequest, metadata: str) -> None:
        """Read what a wallet says of itself at `request_uri` (§5.10); empty when it says nothing.

        Raises:
            WalletMetadataMalformed: no JSON object.
            WalletCannot: it takes other client identifiers, or none of the formats asked for.
        """
        if not metadata:
            return
        try:
            said = parse_json_object(metadata, max_bytes=MAX_METADATA_CHARS)
        except Malformed as error:
            raise WalletMetadataMalformed(
                f"wallet_metadata is not a JSON object: {error.detail}"
            ) from error
        prefixes = said.get("client_id_prefixes_supported")
        prefix = stored.client_id.partition(":")[0]
        if isinstance(prefixes, list) and prefix not in prefixes:
            raise WalletCannot(f"the wallet takes no client identifier with the prefix {prefix}")
        formats = said.get("vp_formats_supported")
        asked = {str(wanted.format) for wanted in parse_dcql(_query_of(stored)).credentials}
        if isinstance(formats, dict) and not asked & set(formats):
            raise WalletCannot("the wallet presents none of the formats that are asked for")

    def handover(self, party: RelyingParty, stored: StoredRequest) -> Handover:
        """The request, as the signature of a mobile document's device is bound to it."""
        thumbprint = b""
        if stored.answer_key:
            thumbprint = base64url_decode(AnswerKey(stored.answer_key).public.jwk_thumbprint)
        return Handover(
            client_id=stored.client_id,
            nonce=stored.nonce,
            response_uri=self.response_uri(party, stored.request),
            key_thumbprint=thumbprint,
        )

    def request_uri(self, party: RelyingParty, request: str) -> str:
        """Where the signed object is fetched."""
        return f"{party.verifier_url}/requests/{request}/object"

    def response_uri(self, party: RelyingParty, request: str) -> str:
        """Where the answer is posted."""
        return f"{party.verifier_url}/requests/{request}/response"

    def _parameters(self, party: RelyingParty, stored: StoredRequest) -> JsonObject:
        return presentation_request.request_parameters(
            party=party,
            client_id=stored.client_id,
            purpose=asking.purpose_of(party, stored.purpose),
            registration=self._registration(party, stored),
            query=_query_of(stored),
            ids=self._ids(party, stored),
            answer_jwk=AnswerKey(stored.answer_key).jwk if stored.answer_key else None,
            pseudonym=stored.pseudonym,
        )

    def _registration(self, party: RelyingParty, stored: StoredRequest) -> ProvenRegistration:
        """The registration as it is now, and it still covers query and pseudonym."""
        proven = self._registry.relying_party(party.did)
        registration = proven.record if proven else None
        asking.refuse_over_query(
            parse_dcql(_query_of(stored)),
            purpose=stored.purpose,
            registration=registration,
            catalogue=self._catalogue,
        )
        asking.refuse_unregistered_pseudonym(
            stored.pseudonym, purpose=stored.purpose, registration=registration
        )
        if proven is None:
            raise asking.AsksTooMuch("the relying party is not registered on the ledger")
        return proven

    def _ids(self, party: RelyingParty, stored: StoredRequest) -> RequestIds:
        return RequestIds(
            request_uri=self.request_uri(party, stored.request),
            response_uri=self.response_uri(party, stored.request),
            nonce=stored.nonce,
            state=stored.state,
            issued_at=stored.created_at,
            expires_at=stored.expires_at,
        )


def _query_of(stored: StoredRequest) -> JsonObject:
    return parse_json_object(stored.query)


def _did_of(client_id: str) -> ClientDid:
    for kind in ClientDid:
        if client_id.startswith(f"{ClientIdPrefix.DID}:did:{kind}:"):
            return kind
    return ClientDid.LEDGER


def _refuse_odd_return(address: str) -> None:
    if not address:
        return
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise AskMalformed("return_to is no address") from error
    if (
        len(address) > MAX_RETURN_CHARS
        or parts.scheme not in ("https", "http")
        or not parts.hostname
        or parts.username is not None
        or "#" in address
    ):
        raise AskMalformed("return_to is an http or https address without a fragment")
