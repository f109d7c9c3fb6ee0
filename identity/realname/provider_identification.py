"""A citizen identifies herself at an identity provider, from an agency's authorization page.

Keeps the promises of `identity.issuer.identification.CitizenIdentification`. Whoever logs in is
proofed and enrolled by what the provider vouches for; somebody the agency knows keeps her subject.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from identity.realname.oidc_login import OidcDesk
from identity.realname.person_json import parse_date
from identity.realname.service import Enrolment, RealNames
from registry.core.refusals import NotPermitted, Refusal, Unavailable


class ProviderIdentification:
    """Sends browsers to the provider and makes subjects of who comes back."""

    def __init__(
        self, desk: OidcDesk, real_names: RealNames, *, refused: Callable[[str], NotPermitted]
    ) -> None:
        """`refused` makes the refusal that the page understands."""
        self._desk, self._real_names, self._refused = desk, real_names, refused

    def elsewhere(self, slug: str) -> str:
        """The provider's page; the browser comes back with `code` and `state`."""
        url, _state = self._desk.begin(agency=slug)
        return url

    def identify(self, slug: str, answers: Mapping[str, str], *, now: datetime) -> str:  # noqa: ARG002
        """The subject of who logged in; see `CitizenIdentification.identify`."""
        state, code = answers.get("state", ""), answers.get("code", "")
        try:
            ticket = self._desk.complete(state, code, agency=slug)
            who = self._desk.told(ticket, agency=slug)
            enrolment = Enrolment(
                agency=slug,
                country=who.country,
                number=who.number,
                family_name=who.family_name,
                given_name=who.given_name,
                birth_date=parse_date(who.birth_date),
                evidence=(),
                source="oidc",
                ticket=ticket,
            )
            return self._real_names.enrol(evidence=enrolment, actor=f"issuer:{slug}").subject
        except Unavailable:
            raise
        except Refusal as error:
            raise self._refused("the provider's answer identifies nobody here") from error
