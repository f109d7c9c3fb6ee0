"""Acting for another: a mandate and whoever shows it belong together, or there is no yes.

A mandate names its holder as the register knows her, and for whom she acts. When it is shown beside
other credentials, each of them must be about the same person: same names, same birth date, all of
them disclosed. Two people who pool their phones otherwise make one who may do what neither may.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from identity.core.mandate import MANDATES
from identity.core.verification.failure import CheckFailed

PERSON = ("family_name", "given_name", "birth_date")


def check_together(shown: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Check that every credential of one answer is about the holder of the mandate in it.

    Args:
        shown: type and disclosed claims of each credential.

    Raises:
        CheckFailed: there is a mandate among several, and names or birth date are missing in one
            of them, or differ.
    """
    if len(shown) < 2 or not any(kind in MANDATES for kind, _ in shown):
        return
    people = [tuple(claims.get(name) for name in PERSON) for _, claims in shown]
    if any(value is None for person in people for value in person):
        raise CheckFailed(
            "mandate_not_bound", "beside a mandate, each credential names the person who shows it"
        )
    if len(set(people)) > 1:
        raise CheckFailed("mandate_of_other_person", "the mandate is another person's")
