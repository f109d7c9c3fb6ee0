"""Proofing by an identity provider: the applicant logs in there, and it vouches for her.

OpenID Connect Core 1.0, authorization code flow with PKCE (RFC 7636). The provider sees this
installation as its client and never the agency, the credential or a relying party.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from identity.core.proofing import EvidenceKind
from identity.realname.person_json import parse_date
from identity.realname.ports import NoMatch, RegisteredPerson
from identity.realname.proofing import Application, Proofed, TicketNotValid, require_same
from identity.realname.records import NO_MATCH
from identity.vault.ports import NothingSealed, Vault
from registry.core.encoding import (
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.hashing import labelled_hash, sha256
from registry.core.refusals import Malformed

LOGIN_SECONDS = 600  # from the first step to the enrolment
SWEPT_AT_ONCE = 100
_OWNER, _KIND = "realname", "oidc-login"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """What a verified ID token says; `acr` is how the provider proofed her."""

    acr: str
    country: str
    number: str = field(repr=False)
    family_name: str = field(repr=False)
    given_name: str = field(repr=False)
    birth_date: str = field(repr=False)


class IdentityProvider(Protocol):
    """A provider; `identity.adapters.oidc_provider` speaks to one."""

    def authorization_url(self, *, state: str, nonce: str, challenge: str) -> str:
        """Where the applicant's browser goes.

        Raises:
            RegisterUnavailable: the provider cannot be discovered.
        """
        ...

    def redeem(self, code: str, *, verifier: str, nonce: str) -> LoggedIn:
        """Exchange a code and verify the ID token.

        Raises:
            TicketNotValid: the provider does not accept the code.
            RegisterUnavailable: it does not answer, or its token does not verify.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login under way: `ref` leads to what it needs, and later to what it brought."""

    digest: bytes  # of the state, 32 bytes
    agency: str
    ref: str
    done: bool
    started_at: int  # unix seconds


class LoginStore(Protocol):
    """Keeps logins; each change is one conditional update."""

    def add(self, login: Login) -> None:
        """Keep a new login."""
        ...

    def read(self, digest: bytes) -> Login | None:
        """The login, unless it is over."""
        ...

    def finish(self, digest: bytes, *, ref: str) -> bool:
        """Note what the login brought; False when that was done already."""
        ...

    def end(self, digest: bytes) -> bool:
        """End the login; False when it was over already."""
        ...

    def old(self, *, started_before: int, limit: int) -> list[Login]:
        """Logins that are over and were never used."""
        ...


class OidcDesk:
    """Begins and completes logins, and keeps the promises of `ProofingSource`."""

    takes_claims = False

    def __init__(
        self,
        *,
        provider: IdentityProvider,
        evidence: Mapping[str, tuple[EvidenceKind, ...]],
        normal_number: Callable[[str, str], str],
        logins: LoginStore,
        vault: Vault,
        random: Callable[[int], bytes],
        now: Callable[[], int],
    ) -> None:
        """Join the parts.

        Args:
            provider: the identity provider.
            evidence: what stands behind each `acr` that is accepted; others prove nothing.
            normal_number: brings country and number to the form in which numbers are compared.
            logins: where logins under way are kept.
            vault: what is personal or secret of them waits there.
            random: source of random bytes.
            now: unix seconds.
        """
        self._provider = provider
        self._evidence = dict(evidence)
        self._normal_number = normal_number
        self._logins = logins
        self._vault = vault
        self._random = random
        self._now = now

    def begin(self, *, agency: str) -> tuple[str, str]:
        """Where to send the applicant, and the state that her browser brings back.

        Raises:
            Unavailable: provider or vault does not answer.
        """
        state, nonce, verifier = (base64url_encode(self._random(32)) for _ in range(3))
        challenge = base64url_encode(sha256(verifier.encode()))
        url = self._provider.authorization_url(state=state, nonce=nonce, challenge=challenge)
        secrets = canonical_json({"nonce": nonce, "verifier": verifier})
        self._logins.add(
            Login(
                digest=_digest(state),
                agency=agency,
                ref=self._vault.seal(owner=_OWNER, kind=_KIND, data=secrets),
                done=False,
                started_at=self._now(),
            )
        )
        return url, state

    def complete(self, state: str, code: str, *, agency: str) -> str:
        """Redeem the code that came back with `state`; a ticket for one enrolment.

        Raises:
            TicketNotValid: unknown, over, of another agency, or completed already; or the provider
                proofed her in a way that is not accepted here.
            Unavailable: provider or vault does not answer.
        """
        login = self._known(state, agency)
        if login.done:
            raise TicketNotValid("the login was completed already")
        actor = f"issuer:{agency}"
        secrets = parse_json_object(self._opened(login, actor=actor))
        found = self._provider.redeem(code, verifier=secrets["verifier"], nonce=secrets["nonce"])
        if found.acr not in self._evidence:
            self._end(login)
            raise TicketNotValid("the provider proofed this person in a way not accepted here")
        try:
            number = self._normal_number(found.country, found.number)
        except Malformed as error:
            self._end(login)
            raise TicketNotValid("the provider tells a number that is none") from error
        ref = self._vault.seal(
            owner=_OWNER,
            kind=_KIND,
            data=canonical_json(
                {name: getattr(found, name) for name in LoggedIn.__slots__} | {"number": number}
            ),
        )
        if not self._logins.finish(login.digest, ref=ref):
            self._vault.forget(ref)
            raise TicketNotValid("the login was completed already")
        self._vault.forget(login.ref)
        return state

    def told(self, ticket: str, *, agency: str) -> LoggedIn:
        """Who logged in, for an agency whose page she used instead of its counter.

        Raises:
            TicketNotValid: unknown, over, of another agency, or not completed.
            Unavailable: the vault does not answer.
        """
        login = self._known(ticket, agency)
        if not login.done:
            raise TicketNotValid("the login is not completed")
        found = parse_json_object(self._opened(login, actor=f"issuer:{agency}"))
        return LoggedIn(**{name: found[name] for name in LoggedIn.__slots__})

    def prove(self, application: Application) -> Proofed:
        """As `ProofingSource.prove`."""
        login = self._known(application.ticket or "", application.agency)
        if not login.done:
            raise TicketNotValid("the login is not completed")
        found = parse_json_object(self._opened(login, actor=f"issuer:{application.agency}"))
        query = application.query
        if (found["country"], found["number"]) != (query.country, query.number):
            raise NoMatch(NO_MATCH)
        person = RegisteredPerson(
            family_name=found["family_name"],
            given_name=found["given_name"],
            birth_date=parse_date(found["birth_date"]),
            sex=None,
            nationality=None,
            address=None,
        )
        require_same(person, query)
        if not self._end(login):
            raise TicketNotValid("this ticket was used")
        return Proofed(person=person, evidence=self._evidence[found["acr"]])

    def sweep(self) -> None:
        """Forget what nobody came back for."""
        for login in self._logins.old(
            started_before=self._now() - LOGIN_SECONDS, limit=SWEPT_AT_ONCE
        ):
            self._end(login)

    def _known(self, state: str, agency: str) -> Login:
        try:
            login = self._logins.read(_digest(state))
        except Malformed as error:
            raise TicketNotValid("there is no such login") from error
        if login is None or login.agency != agency:
            raise TicketNotValid("there is no such login")
        if self._now() - login.started_at > LOGIN_SECONDS:
            self._end(login)
            raise TicketNotValid("the login is over")
        return login

    def _opened(self, login: Login, *, actor: str) -> bytes:
        try:
            return self._vault.open(login.ref, purpose="oidc-login", actor=actor)
        except NothingSealed as error:
            raise TicketNotValid("the login is over") from error

    def _end(self, login: Login) -> bool:
        self._vault.forget(login.ref)  # first: a login without its row can still be swept
        return self._logins.end(login.digest)


def _digest(state: str) -> bytes:
    if len(base64url_decode(state)) != 32:
        raise Malformed("the state of a login has 32 bytes")
    return labelled_hash("cairn/oidc-state/v1", state.encode())
