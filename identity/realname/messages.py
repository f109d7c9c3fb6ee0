"""What agencies send to enrol a person, and what they get."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from identity.core.national_id import MAX_NUMBER_CHARS
from identity.core.person_name import MAX_NAME_CHARS
from identity.core.proofing import MAX_EVIDENCE
from identity.realname.ports import Binding
from identity.realname.service import Enrolment

Name = Annotated[str, Field(max_length=MAX_NAME_CHARS)]


class EvidenceMessage(BaseModel):
    """One piece of evidence, way of verification or circumstance; see `docs/real-names.md`."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    type: Literal[
        "supporting-record",
        "document",
        "chip-document",
        "confirmation-code",
        "postal-code",
        "visual-match",
        "biometric-match",
        "onsite-attended",
        "biometric-sample",
    ]


class ApplicantMessage(BaseModel):
    """A person as the agency's officer sees her. `given_name` or `family_name` may be empty."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2")]
    number: Annotated[str, Field(min_length=1, max_length=MAX_NUMBER_CHARS)]
    family_name: Name
    given_name: Name
    birth_date: Annotated[
        str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", json_schema_extra={"format": "date"})
    ]
    evidence: Annotated[list[EvidenceMessage], Field(min_length=1, max_length=MAX_EVIDENCE)]


class EnrolmentRequest(ApplicantMessage):
    """An applicant, and who vouches for her.

    With `in-person` and `oidc`, `ticket` is what those ways gave, and `evidence` is left out: it is
    what the officers or the provider saw.
    """

    evidence: Annotated[list[EvidenceMessage], Field(max_length=MAX_EVIDENCE)] = []
    source: Literal["register", "in-person", "oidc"] = "register"
    ticket: Annotated[str | None, Field(max_length=64)] = None

    def to_enrolment(self, agency: str, birth_date: date) -> Enrolment:
        """The statement of `agency`."""
        return Enrolment(
            agency=agency,
            country=self.country,
            number=self.number,
            family_name=self.family_name,
            given_name=self.given_name,
            birth_date=birth_date,
            evidence=tuple(item.type for item in self.evidence),
            source=self.source,
            ticket=self.ticket,
        )


class EnrolmentAnswer(BaseModel):
    """The person from now on: an opaque subject of this agency."""

    subject: str
    assurance_level: Literal["IAL1", "IAL2", "IAL3"]

    @classmethod
    def of(cls, binding: Binding) -> "EnrolmentAnswer":
        """From a binding; nothing personal is in either."""
        return cls(subject=binding.subject, assurance_level=binding.assurance_level.value)


class RecoveryAnswer(BaseModel):
    """A person after a lost phone. `ended` counts credentials, at all agencies together."""

    subject: str
    assurance_level: Literal["IAL1", "IAL2", "IAL3"]
    ended: int
