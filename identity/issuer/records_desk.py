"""The record of issuance: what was issued to whom, by type, time and status alone."""

from identity.issuer.parts import IssuerParts
from identity.issuer.records import Issuance
from identity.issuer.status import NoSuchCredential


class RecordDesk:
    """Reads the record."""

    def __init__(self, parts: IssuerParts) -> None:
        self._parts = parts

    def read(self, slug: str, credential: str) -> Issuance:
        """The record of one credential.

        Raises:
            NoSuchCredential: this agency issued no such credential.
        """
        self._parts.agency(slug)
        found = self._parts.issuances.read_issuance(slug, credential)
        if found is None:
            raise NoSuchCredential("this agency issued no such credential")
        return found

    def of(self, slug: str, subject: str) -> list[Issuance]:
        """Everything that this agency issued to `subject`, oldest first."""
        self._parts.agency(slug)
        return self._parts.issuances.issuances_of(slug, subject)
