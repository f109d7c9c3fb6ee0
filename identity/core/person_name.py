"""Names of people, compared; never changed.

A name is stored and shown as the register writes it. Only to see whether two spellings mean the
same name are both brought to one form: NFKC (full-width letters, compatibility forms), case
folded, and without what people leave out or write differently: spaces, hyphens, apostrophes and
the several middle dots of Chinese spellings of foreign names. Accents stay: they tell names apart.
"""

import unicodedata

from registry.core.refusals import Malformed

MAX_NAME_CHARS = 150  # of one part; longer than the longest name a civil register is known to hold

# U+00B7 and its look-alikes, in the order of the standard; GB 18030 texts mix all of them.
_MIDDLE_DOTS = "\u00b7\u0387\u2022\u2027\u2219\u22c5\u2e31\u30fb\uff65\u318d\u16eb"
_APOSTROPHES = "'\u2018\u2019\u02bc\u02b9\u0060\u00b4"
_HYPHENS = "-\u00ad\u2010\u2011\u2012\u2013\u2014\u2212"
_ROUNDS = 8  # each round after the first composes across a sign that the one before left out
_LEFT_OUT = frozenset(_MIDDLE_DOTS + _APOSTROPHES + _HYPHENS + ".")


class NameNotValid(Malformed):
    """The text is no name: empty, too long, or with control characters."""


def normalised_name(text: str) -> str:
    """The form of one part of a name in which spellings are compared.

    Raises:
        NameNotValid: too long, or a control, unassigned or private-use character.
    """
    if len(text) > MAX_NAME_CHARS:
        raise NameNotValid(f"a name part has at most {MAX_NAME_CHARS} characters")
    if any(unicodedata.category(char) in ("Cc", "Cs", "Co", "Cn") for char in text):
        raise NameNotValid("a name has no control characters")
    form = text
    for _ in range(_ROUNDS):  # leaving a sign out brings others together, which compose in turn
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", form).casefold())
        bare = "".join(char for char in folded if not _left_out(char))
        if bare == form:
            break
        form = bare
    return form


def _left_out(char: str) -> bool:
    return char in _LEFT_OUT or char.isspace() or unicodedata.category(char) == "Cf"


def same_name(*, family_name: str, given_name: str, other_family: str, other_given: str) -> bool:
    """Whether two names are spellings of one, whichever part stands first.

    Parts are joined before they are compared, so that it does not matter where a form cut a name
    in two. An empty part is fine (people with one name); an empty name equals nothing.

    Raises:
        NameNotValid: as `normalised_name`.
    """
    first = (normalised_name(family_name), normalised_name(given_name))
    second = (normalised_name(other_family), normalised_name(other_given))
    if not any(first) or not any(second):
        return False
    joined = "".join(second)
    return joined in ("".join(first), "".join(reversed(first)))
