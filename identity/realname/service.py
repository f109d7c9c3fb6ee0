"""Enrolment of a person, and her claims afterwards."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from identity.core.national_id import NationalNumber, SchemeRegistry
from identity.core.proofing import (
    AssuranceLevel,
    EvidenceKind,
    assurance_level,
    claimed_evidence,
)
from identity.realname.person_json import parse_person
from identity.realname.ports import (
    Binding,
    BindingClosed,
    BindingState,
    BindingStore,
    IdentitySealing,
    NoMatch,
    NotAlive,
    RegisteredPerson,
    RegisterQuery,
    UnknownSubject,
)
from identity.realname.proofing import Application, ProofingSource
from identity.realname.records import (
    NO_MATCH,
    check_names,
    encoded,
    facts,
    identity_of,
    is_same_person,
    likeness,
    parse_record,
)
from identity.realname.review import CaseKind, ReviewDesk, UnderReview, Verdict
from identity.vault.ports import IdentityVault, Registration
from registry.core.encoding import JsonObject, base64url_encode
from registry.core.refusals import Conflict, Malformed, Unavailable

_OWNER, _KIND, _APPLICANT = "realname", "person", "applicant"
MAX_MERGERS = 4  # that end a subject one after the other while it is being enrolled
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
    source: str = "register"  # who vouches for her
    ticket: str | None = field(default=None, repr=False)


class RealNames:
    """Binds real people to opaque subjects. Everything personal is in the vault, nowhere else."""

    def __init__(
        self,
        *,
        schemes: SchemeRegistry,
        sources: Mapping[str, ProofingSource],
        vault: IdentityVault,
        bindings: BindingStore,
        random: Callable[[int], bytes],
        now: Callable[[], int],
        review: ReviewDesk,
        sealing: IdentitySealing | None = None,
    ) -> None:
        """Join the parts; `random` gives bytes, `now` unix seconds, `sources` vouch for people.

        With `sealing`, nobody gets a subject before her identity is sealed to the institutions.
        """
        self._schemes = schemes
        self._sources = dict(sources)
        self._vault = vault
        self._bindings = bindings
        self._random = random
        self._now = now
        self._review = review
        self._sealing = sealing

    def enrol(self, *, evidence: Enrolment, actor: str) -> Binding:
        """Proof a person and bind her to a subject of this agency.

        Safe to repeat: the same person and agency give the same subject. Steps:

        1. the number is one of its country, and agrees with the stated birth date;
        2. the evidence reaches an assurance level, given that the source agrees;
        3. the register (or officers, or a provider) vouches for number, name and birth date as one
           living person;
        4. her row goes into the vault with its blind index, or is there already and agrees;
        5. the agency gets its subject: when a merger ends it in that moment, the one that goes on.

        Args:
            evidence: what the agency states and what it saw.
            actor: code of who enrols; goes on the audit record.

        Raises:
            NationalIdNotValid, CountryNotSupported, NameNotValid, EvidenceTooWeak: as they say.
            NoMatch: number, name and birth date do not belong together.
            NotAlive: the person is dead.
            RegistrationDiffers: registered under another name or birth date.
            UnderReview: somebody alike is registered under another number; people decide.
            Unavailable: register, vault or audit does not answer, or one merger followed another;
                nothing was decided.
        """
        number = self._schemes.parse(evidence.country, evidence.number, today=self._today())
        check_names(evidence.family_name, evidence.given_name)
        if number.birth_date not in (None, evidence.birth_date):
            raise NoMatch(NO_MATCH)
        source = self._sources.get(evidence.source)
        if source is None:
            raise Malformed("this way of proofing is not offered here")
        claimed: tuple[EvidenceKind, ...] = ()
        if source.takes_claims:
            claimed = claimed_evidence(evidence.evidence)
            assurance_level((*claimed, EvidenceKind.REGISTER_RECORD))  # before anybody is asked
        elif evidence.evidence:
            raise Malformed("the evidence of this way of proofing is its own")
        proofed = source.prove(
            Application(
                query=RegisterQuery(
                    country=number.country,
                    number=number.number,
                    family_name=evidence.family_name,
                    given_name=evidence.given_name,
                    birth_date=evidence.birth_date,
                ),
                agency=evidence.agency,
                ticket=evidence.ticket,
            )
        )
        level = assurance_level((*claimed, *proofed.evidence))
        person = proofed.person
        ref = self._sealed(
            number, person, agency=evidence.agency, actor=actor, renew=source.takes_claims
        )
        self._seal_for_opening(ref, number, person)
        return self._bound(ref, agency=evidence.agency, level=level)

    def binding(self, subject: str) -> Binding:
        """What is known of a subject without opening the vault.

        Raises:
            UnknownSubject: nobody was enrolled under it.
        """
        binding = self._bindings.read(subject)
        if binding is None:
            raise UnknownSubject("nobody is enrolled under this subject")
        return binding

    def claims(
        self,
        subject: str,
        *,
        names: Iterable[str],
        purpose: str,
        actor: str,
        incapacitated: bool = False,
    ) -> JsonObject:
        """Facts about a person, after the read is on the audit record.

        Args:
            subject: as `enrol` gave it.
            names: of `CLAIM_NAMES`; others, and facts that are not known, are left out. Dates
                are ISO 8601 texts.
            purpose: code of why.
            actor: code of who; only the agency that enrolled her, as `issuer:<agency>`, may ask.
            incapacitated: also when she cannot act for herself; for what others do for her.

        Raises:
            UnknownSubject: nobody was enrolled under it, not by this agency, or she was forgotten.
            NotAlive: the person was reported dead.
            BindingClosed: she withdrew, or is not able to act for herself now.
            Unavailable: vault or audit does not answer; nothing was read.
        """
        wanted = frozenset(names) & CLAIM_NAMES
        binding = self.binding(subject)
        if actor != f"issuer:{binding.agency}":
            # The same answer as for a stranger: who else knows her is nobody's business.
            raise UnknownSubject("nobody was enrolled under this subject")
        if binding.deceased:
            raise NotAlive("the person was reported dead")
        able = {BindingState.ACTIVE} | ({BindingState.INCAPACITATED} if incapacitated else set())
        if binding.state not in able:
            raise BindingClosed("nothing is issued to this subject, or for it, now")
        known: JsonObject = {"assurance_level": str(binding.assurance_level)}
        if wanted & _PERSONAL:  # the vault opens only for what is in it
            sealed = self._vault.open(binding.person, purpose=purpose, actor=actor)
            known |= facts(parse_record(sealed))
        return {name: known[name] for name in sorted(wanted) if known.get(name) is not None}

    def _bound(self, ref: str, *, agency: str, level: AssuranceLevel) -> Binding:
        """The binding of the person at this agency, as it is when nobody ends it any more."""
        for _ in range(MAX_MERGERS):
            binding = self._bindings.bind(
                Binding(
                    subject="prs_" + base64url_encode(self._random(16)),
                    agency=agency,
                    assurance_level=level,
                    created=self._now(),
                    person=ref,
                )
            )
            if level > binding.assurance_level:  # IAL1 < IAL2 < IAL3, also as text
                self._bindings.raise_level(binding.subject, level)
            binding = self.binding(binding.subject)
            if binding.deceased:
                raise NotAlive("the person was reported dead")
            if binding.state is not BindingState.MERGED:
                return binding
        raise Unavailable("the registration is being merged; enrol again")

    def _sealed(
        self,
        number: NationalNumber,
        person: RegisteredPerson,
        *,
        agency: str,
        actor: str,
        renew: bool,
    ) -> str:
        """Reference of the person's row, new or there already.

        With `renew` the row says what `person` says: a register knows her address and a login does
        not, so what the register said is not replaced by less.
        """
        data = encoded(number, person)
        registration = self._seal_once(number, data, person, agency=agency)
        if registration.new:
            return registration.ref
        sealed = self._vault.open(registration.ref, purpose="enrolment", actor=actor)
        stored = parse_record(sealed)
        if not is_same_person(parse_person(stored["person"]), person):
            raise RegistrationDiffers("registered with another name or birth date")
        by_this_number = (stored["scheme"], stored["number"]) == (number.scheme, number.number)
        if (
            renew and by_this_number and sealed != data
        ):  # she moved, or the register corrected a spelling
            self._vault.replace(registration.ref, data=data)
        return registration.ref

    def _seal_once(
        self, number: NationalNumber, data: bytes, person: RegisteredPerson, *, agency: str
    ) -> Registration:
        """Register, unless somebody registered is alike; then people decide, and it goes on."""

        def seal(distinct_from: tuple[str, ...]) -> Registration:
            return self._vault.seal_once(
                identifier=number.identifier,
                owner=_OWNER,
                kind=_KIND,
                data=data,
                likeness=likeness(person),
                distinct_from=distinct_from,
            )

        registration = seal(())
        if not registration.similar:
            return registration
        # The applicant waits sealed, under an index of her own, so that the case has a name for
        # her which tells nothing, and which is the same when she comes again.
        applicant = self._vault.seal_once(
            identifier=b"applicant|" + number.identifier, owner=_OWNER, kind=_APPLICANT, data=data
        ).ref
        case = self._review.decided(applicant)
        if case is not None and case.verdict is Verdict.SAME:
            target = self._bindings.survivor(case.target)  # merged, perhaps, since they decided
            self._vault.attach(target, identifier=number.identifier)
            self._vault.forget(applicant)
            return Registration(ref=target, new=False)
        if case is not None:
            registration = seal(case.similar)
            if not registration.similar:
                self._vault.forget(applicant)
                return registration
            case = self._review.reopen(case, similar=registration.similar)  # somebody else came
        else:
            case = self._review.open(
                CaseKind.SIMILAR, agency=agency, applicant=applicant, similar=registration.similar
            )
        raise UnderReview(
            "somebody of this name and birth date is registered under another number; two officers "
            "decide whether it is the same person: case "
            f"{self._review.handle(case, agency=agency).id}. Enrol again afterwards, or appeal"
        )

    def _seal_for_opening(self, ref: str, number: NationalNumber, person: RegisteredPerson) -> None:
        if self._sealing is not None:
            self._sealing.seal(ref, identity_of(number, person), renew=False)

    def _today(self) -> date:
        """The day that has begun somewhere: a child born in Kiribati this morning is born."""
        return (datetime.fromtimestamp(self._now(), UTC) + timedelta(hours=14)).date()
