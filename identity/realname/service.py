"""Enrolment of a person, and her claims afterwards."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from identity.core.national_id import NationalNumber, SchemeRegistry
from identity.core.person_name import NameNotValid, normalised_name, same_name
from identity.core.proofing import EvidenceKind, assurance_level, claimed_evidence
from identity.realname.life_events import LifeEvent, LifeEventHook, LifeEventKind
from identity.realname.person_json import parse_person, person_members
from identity.realname.ports import (
    Binding,
    BindingStore,
    IdentitySealing,
    NoMatch,
    NotAlive,
    PopulationRegister,
    RegisteredPerson,
    RegisterQuery,
    UnknownSubject,
)
from identity.vault.ports import IdentityVault
from registry.core.encoding import (
    JsonObject,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.refusals import Conflict

_OWNER, _KIND = "realname", "person"
_ADDRESS = ("street_address", "locality", "region", "postal_code", "country", "resident_since")
_PERSONAL = frozenset(
    {"family_name", "given_name", "birth_date", "sex", "nationality", "issuing_country", *_ADDRESS}
)
CLAIM_NAMES = _PERSONAL | {"assurance_level"}  # what `RealNames.claims` can tell


class RegistrationDiffers(Conflict):
    """The number is registered with another name or birth date; a life event must be reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What an agency states about a person before it: nothing of it is believed yet."""

    agency: str
    country: str  # ISO 3166-1 alpha-2, of the number
    number: str = field(repr=False)
    family_name: str = field(repr=False)
    given_name: str = field(repr=False)
    birth_date: date = field(repr=False)
    evidence: tuple[str, ...]  # `identity.core.proofing.EvidenceKind`


class RealNames:
    """Binds real people to opaque subjects. Everything personal is in the vault, nowhere else."""

    def __init__(
        self,
        *,
        schemes: SchemeRegistry,
        register: PopulationRegister,
        vault: IdentityVault,
        bindings: BindingStore,
        random: Callable[[int], bytes],
        now: Callable[[], int],
        hooks: Sequence[LifeEventHook] = (),
        sealing: IdentitySealing | None = None,
    ) -> None:
        """Join the parts; `random` gives bytes, `now` unix seconds.

        With `sealing`, nobody gets a subject before her identity is sealed to the institutions.
        """
        self._schemes = schemes
        self._register = register
        self._vault = vault
        self._bindings = bindings
        self._random = random
        self._now = now
        self._hooks = tuple(hooks)
        self._sealing = sealing

    def enrol(self, *, evidence: Enrolment, actor: str) -> Binding:
        """Proof a person and bind her to a subject of this agency.

        Safe to repeat: the same person and agency give the same subject. Steps:

        1. the number is one of its country, and agrees with the stated birth date;
        2. the evidence reaches an assurance level, given that the register agrees;
        3. the register knows number, name and birth date as one living person;
        4. her row goes into the vault with its blind index, or is there already and agrees;
        5. the agency gets its subject.

        Args:
            evidence: what the agency states and what it saw.
            actor: code of who enrols; goes on the audit record.

        Raises:
            NationalIdNotValid, CountryNotSupported, NameNotValid, EvidenceTooWeak: as they say.
            NoMatch: number, name and birth date do not belong together.
            NotAlive: the person is dead.
            RegistrationDiffers: registered under another name or birth date.
            Unavailable: register, vault or audit does not answer; nothing was decided.
        """
        number = self._schemes.parse(evidence.country, evidence.number, today=self._today())
        _check_names(evidence.family_name, evidence.given_name)
        if number.birth_date not in (None, evidence.birth_date):
            raise NoMatch(_NO_MATCH)
        level = assurance_level(
            (*claimed_evidence(evidence.evidence), EvidenceKind.REGISTER_RECORD)
        )
        person = self._looked_up(
            number, evidence.family_name, evidence.given_name, evidence.birth_date
        )
        ref = self._sealed(number, person, actor=actor)
        self._seal_for_opening(ref, number, person, renew=False)
        binding = self._bindings.bind(
            Binding(
                subject="prs_" + base64url_encode(self._random(16)),
                agency=evidence.agency,
                assurance_level=level,
                created=self._now(),
                person=ref,
            )
        )
        if binding.deceased:
            raise NotAlive("the person was reported dead")
        if level > binding.assurance_level:  # IAL1 < IAL2 < IAL3, also as text
            self._bindings.raise_level(binding.subject, level)
        return self.binding(binding.subject)

    def binding(self, subject: str) -> Binding:
        """What is known of a subject without opening the vault.

        Raises:
            UnknownSubject: nobody was enrolled under it.
        """
        binding = self._bindings.read(subject)
        if binding is None:
            raise UnknownSubject("nobody is enrolled under this subject")
        return binding

    def claims(self, subject: str, *, names: Iterable[str], purpose: str, actor: str) -> JsonObject:
        """Facts about a person, after the read is on the audit record.

        Args:
            subject: as `enrol` gave it.
            names: of `CLAIM_NAMES`; others, and facts that are not known, are left out. Dates
                are ISO 8601 texts.
            purpose: code of why.
            actor: code of who; only the agency that enrolled her, as `issuer:<agency>`, may ask.

        Raises:
            UnknownSubject: nobody was enrolled under it, not by this agency, or she was forgotten.
            NotAlive: the person was reported dead.
            Unavailable: vault or audit does not answer; nothing was read.
        """
        wanted = frozenset(names) & CLAIM_NAMES
        binding = self.binding(subject)
        if actor != f"issuer:{binding.agency}":
            # The same answer as for a stranger: who else knows her is nobody's business.
            raise UnknownSubject("nobody was enrolled under this subject")
        if binding.deceased:
            raise NotAlive("the person was reported dead")
        known: JsonObject = {"assurance_level": str(binding.assurance_level)}
        if wanted & _PERSONAL:  # the vault opens only for what is in it
            known |= _facts(self._opened(binding.person, purpose=purpose, actor=actor))
        return {name: known[name] for name in sorted(wanted) if known.get(name) is not None}

    def record_death(self, subject: str) -> None:
        """Close every binding of the person for good, at every agency, and tell the hooks.

        Raises:
            UnknownSubject: nobody was enrolled under it.
        """
        person = self.binding(subject).person
        self._bindings.mark_deceased(person)
        self._tell(LifeEventKind.DECEASED, person)

    def record_new_name(
        self, subject: str, *, family_name: str, given_name: str, actor: str
    ) -> None:
        """Take over a changed name when the register confirms it, and tell the hooks.

        Raises:
            NoMatch, NotAlive, NameNotValid: the register does not confirm it.
            UnknownSubject: nobody was enrolled under it.
            Unavailable: register, vault or audit does not answer; nothing was changed.
        """
        binding = self.binding(subject)
        if binding.deceased:
            raise NotAlive("the person was reported dead")
        _check_names(family_name, given_name)
        stored = self._opened(binding.person, purpose="name-change", actor=actor)
        number = self._schemes.parse(stored["country"], stored["number"], today=self._today())
        known = parse_person(stored["person"])
        person = self._looked_up(number, family_name, given_name, known.birth_date)
        self._vault.replace(binding.person, data=_encoded(number, person))
        self._seal_for_opening(binding.person, number, person, renew=True)
        self._tell(LifeEventKind.NAME_CHANGED, binding.person)

    def _looked_up(
        self, number: NationalNumber, family_name: str, given_name: str, birth_date: date
    ) -> RegisteredPerson:
        person = self._register.lookup(
            RegisterQuery(
                country=number.country,
                number=number.number,
                family_name=family_name,
                given_name=given_name,
                birth_date=birth_date,
            )
        )
        # The register promises this; whom it confuses, we would register for life.
        if person.birth_date != birth_date or not same_name(
            family_name=family_name,
            given_name=given_name,
            other_family=person.family_name,
            other_given=person.given_name,
        ):
            raise NoMatch(_NO_MATCH)
        return person

    def _sealed(self, number: NationalNumber, person: RegisteredPerson, *, actor: str) -> str:
        """Reference of the person's row, new or there already; the row says what `person` says."""
        data = _encoded(number, person)
        registration = self._vault.seal_once(
            identifier=number.identifier, owner=_OWNER, kind=_KIND, data=data
        )
        if registration.new:
            return registration.ref
        sealed = self._vault.open(registration.ref, purpose="enrolment", actor=actor)
        known = parse_person(parse_json_object(sealed)["person"])
        if known.birth_date != person.birth_date or not same_name(
            family_name=known.family_name,
            given_name=known.given_name,
            other_family=person.family_name,
            other_given=person.given_name,
        ):
            raise RegistrationDiffers("registered with another name or birth date")
        if sealed != data:  # she moved house, or the register corrected a spelling
            self._vault.replace(registration.ref, data=data)
        return registration.ref

    def _seal_for_opening(
        self, ref: str, number: NationalNumber, person: RegisteredPerson, *, renew: bool
    ) -> None:
        if self._sealing is not None:
            self._sealing.seal(ref, _identity(number, person), renew=renew)

    def _opened(self, person: str, *, purpose: str, actor: str) -> JsonObject:
        return parse_json_object(self._vault.open(person, purpose=purpose, actor=actor))

    def _tell(self, kind: LifeEventKind, person: str) -> None:
        for binding in self._bindings.of_person(person):
            event = LifeEvent(
                kind=kind, subject=binding.subject, agency=binding.agency, time=self._now()
            )
            for hook in self._hooks:
                hook.on_event(event)

    def _today(self) -> date:
        """The day that has begun somewhere: a child born in Kiribati this morning is born."""
        return (datetime.fromtimestamp(self._now(), UTC) + timedelta(hours=14)).date()


_NO_MATCH = "number, name and birth date do not belong to one person"


def _check_names(family_name: str, given_name: str) -> None:
    if not normalised_name(family_name) + normalised_name(given_name):
        raise NameNotValid("a person has a name")


def _encoded(number: NationalNumber, person: RegisteredPerson) -> bytes:
    return canonical_json(
        {
            "country": number.country,
            "scheme": number.scheme,
            "number": number.number,
            "person": person_members(person),
        }
    )


def _identity(number: NationalNumber, person: RegisteredPerson) -> bytes:
    """What an opening tells: who she is, and not where she lives."""
    return canonical_json(
        {
            "country": number.country,
            "number": number.number,
            "family_name": person.family_name,
            "given_name": person.given_name,
            "birth_date": person.birth_date.isoformat(),
        }
    )


def _facts(stored: Mapping[str, object]) -> JsonObject:
    """The claims in a stored row. The number is not among them, and never will be."""
    members = person_members(parse_person(stored["person"]))
    address = members.pop("address") or {}
    facts = {**members, **address, "issuing_country": stored["country"]}
    return {name: value for name, value in facts.items() if value not in (None, "")}
