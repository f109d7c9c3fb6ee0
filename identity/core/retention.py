"""How long is kept what has no end of its own. Pure.

Sessions, offers, tokens, logins and requests end by their own clocks, minutes to days after they
began, and are deleted with them. What is here has none: somebody must have said how long.
"""

from dataclasses import dataclass

DAY_SECONDS = 86_400
# Longer than anything lives that waits sealed: an offer's day and a deferred token's fortnight.
MIN_LEFTOVER_DAYS = 30
MERGED_DAYS = 365
MIN_RECORD_DAYS = 30  # in production: who was looked at has this long to find out and to ask


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultTerms:
    """Days until the vault destroys; None: not by a clock.

    Args:
        leftovers: sealed rows of flows that ended long ago, which a crash left behind.
        merged: what a registration held that was merged into another; without it a wrong merger
            cannot be undone.
        looks: looks that officers asked for, counted from when they asked.
        audit: audit records, in both sinks.
    """

    leftovers: int = MIN_LEFTOVER_DAYS
    merged: int = MERGED_DAYS
    looks: int | None = None
    audit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleTerms:
    """Days until the real-name service destroys; None: not by a clock.

    Args:
        deceased: rows of dead people, counted from when their death was reported.
        cases: cases of the review queue with their waiting applicants, from the last decision or
            from whatever else happened last.
        merged: as in `VaultTerms`; the case of a merger is kept for as long, if that is longer.
    """

    deceased: int | None = None
    cases: int | None = None
    merged: int = MERGED_DAYS


def cutoff(days: int | None, *, now: int) -> int | None:
    """What began before this second is past its term of `days`; None when there is no term.

    Args:
        days: the term.
        now: unix seconds.
    """
    return None if days is None else now - days * DAY_SECONDS
