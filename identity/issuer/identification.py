"""How a citizen identifies herself on the authorization page: a port, and the way by code.

A national programme plugs its own way in (`CitizenIdentification`): an identity provider to which
the browser is sent, or a form of ours. The way by code needs nothing else: at its counter the
agency hands an enrolled person a code; on the page she types it with her birth date. The page asks
for no national number, so none can be guessed or phished there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from identity.core.authorization import (
    MAX_IDENTIFICATION_TRIES,
    identification_code_digest,
    new_identification_code,
)
from identity.issuer.parts import IssuerParts
from registry.core.refusals import Malformed, NotPermitted, Refusal, Unavailable

DEFAULT_CODE_SECONDS = 24 * 3600
MAX_CODE_SECONDS = 14 * 24 * 3600


class NotIdentified(NotPermitted):
    """The answers do not identify anybody; one text for every reason."""


class CitizenIdentification(Protocol):
    """Finds out which enrolled person sits before the page.

    - `elsewhere` gives the address to send the browser to, or None where our page asks by itself.
      It comes back to `{base}/authorize/return`, and what it brings goes to `identify`.
    - `identify` returns the subject that the agency knows her by, or raises; every wrong answer is
      counted where it can be guessed at. It never says which part was wrong.
    """

    def elsewhere(self, slug: str) -> str | None:
        """Where the browser goes, if not to our form.

        Raises:
            Unavailable: it cannot be found out now.
        """
        ...

    def identify(self, slug: str, answers: Mapping[str, str], *, now: datetime) -> str:
        """The subject.

        Raises:
            NotIdentified: the answers do not fit anybody.
            Unavailable: it cannot be found out now.
        """
        ...


@dataclass(frozen=True, slots=True)
class IdentificationCode:
    """A code for one person, shown once."""

    code: str
    expires_in: int


class CodeIdentification:
    """Identifies by a code from the agency, and the birth date that the register confirmed."""

    def __init__(self, parts: IssuerParts) -> None:
        self._parts = parts

    def issue(
        self, slug: str, subject: str, *, lifetime_seconds: int, now: datetime
    ) -> IdentificationCode:
        """A code to hand to `subject`; an earlier one of hers ends.

        Raises:
            UnknownAgency, NotFound: no such agency, or it knows no such person.
            Malformed: the lifetime is out of bounds.
        """
        parts = self._parts
        parts.agency(slug)
        if not 60 <= lifetime_seconds <= MAX_CODE_SECONDS:
            raise Malformed(f"a code lives for 60 to {MAX_CODE_SECONDS} seconds")
        parts.persons.claims(subject, names=(), purpose="offer", actor=f"issuer:{slug}")
        code = new_identification_code(parts.random)
        digest = identification_code_digest(code)
        assert digest is not None
        parts.authorizations.add_identification(
            slug, subject, digest, expires_at=int(now.timestamp()) + lifetime_seconds
        )
        return IdentificationCode(code, lifetime_seconds)

    def elsewhere(self, slug: str) -> str | None:  # noqa: ARG002
        """Nowhere: our page asks."""
        return None

    def identify(self, slug: str, answers: Mapping[str, str], *, now: datetime) -> str:
        """As `CitizenIdentification.identify`; a code that fits is used up."""
        digest = identification_code_digest(answers.get("code", ""))
        stated = _date(answers.get("birth_date", ""))
        if digest is None or stated is None:
            raise NotIdentified(_NO)
        store, seconds = self._parts.authorizations, int(now.timestamp())
        subject = store.try_identification(slug, digest, most=MAX_IDENTIFICATION_TRIES, now=seconds)
        if subject is None:
            raise NotIdentified(_NO)
        try:
            known = self._parts.persons.claims(
                subject, names=("birth_date",), purpose="identify", actor=f"issuer:{slug}"
            )
        except Unavailable:
            raise
        except Refusal as error:  # forgotten, or dead
            raise NotIdentified(_NO) from error
        if known.get("birth_date") != stated.isoformat():
            raise NotIdentified(_NO)
        if not store.use_identification(slug, digest):
            raise NotIdentified(_NO)
        return subject


class IdentificationByAgency:
    """Each agency's own way; by a code of the agency where none is named."""

    def __init__(
        self, otherwise: CitizenIdentification, chosen: Mapping[str, CitizenIdentification]
    ) -> None:
        self._otherwise, self._chosen = otherwise, chosen

    def elsewhere(self, slug: str) -> str | None:
        """As `CitizenIdentification.elsewhere`."""
        return self._chosen.get(slug, self._otherwise).elsewhere(slug)

    def identify(self, slug: str, answers: Mapping[str, str], *, now: datetime) -> str:
        """As `CitizenIdentification.identify`."""
        return self._chosen.get(slug, self._otherwise).identify(slug, answers, now=now)


_NO = "code and birth date do not identify anybody here"


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if len(text) <= 32 else None
    except ValueError:
        return None
