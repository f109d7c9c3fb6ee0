"""One person, one registration: in races, and however number and name are spelt."""

import itertools
from datetime import date
from pathlib import Path

import pytest

from identity.adapters.embedded_register import EmbeddedRegister, InventedPerson
from identity.core.chinese_id import check_character
from identity.realname.ports import RegisteredPerson
from identity.realname.service import Enrolment
from tests.identity.realname.parts import installation
from tests.identity.realname.race import RIVALS, run
from tests.postgres import Cluster

RACES = 10  # a share on each database; the whole 1,000 are `make soak`'s
SPELLINGS = 200


def test_the_share_is_counted() -> None:
    assert RIVALS == 50
    assert RACES * RIVALS == 500


def test_of_fifty_at_one_moment_one_registers_on_sqlite(tmp_path: Path) -> None:
    run(tmp_path, f"sqlite:///{tmp_path / 'v.db'}", f"sqlite:///{tmp_path / 'i.db'}", RACES)


def test_of_fifty_at_one_moment_one_registers_on_postgresql(
    tmp_path: Path, postgresql: Cluster
) -> None:
    run(tmp_path, postgresql.new_database(), postgresql.new_database(), RACES)


def number_of(first_seventeen: str) -> str:
    return first_seventeen + check_character(first_seventeen)


def wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def number_spellings(number: str) -> list[str]:
    """Ways in which clerks and forms write one number."""
    short = number[:6] + number[8:17]  # the fifteen digits of before 1999
    return [
        number,
        number.lower(),
        f" {number}\u3000",
        f"{number[:6]} {number[6:14]} {number[14:]}",
        f"{number[:6]}-{number[6:14]}\u2013{number[14:]}",
        wide(number),
        wide(number.lower()),
        f"\u00a0{wide(number[:6])} {number[6:]}",
        short,
        wide(short),
    ]


NAMES = [
    ("Ayşegül·Nur", "O'Neil Lin"),
    ("AYŞEGÜL·NUR", "O\u2019NEIL LIN"),
    ("O'Neil Lin", "Ayşegül Nur"),
    ("Ayşegül・Nur", "O'Neil-Lin"),
    ("Ays\u0327egu\u0308l•Nur", "ONeil Lin"),
    (" Ayşegül ‧ Nur", "o`neil\u00a0lin "),
    ("Ayşegül", "Nur O'Neil Lin"),
    ("", "Ayşegül Nur O'Neil Lin"),
    ("Ayşegül･Nur", wide("O'Neil") + "\u3000" + wide("Lin")),
    ("Ayşegül\u200bNur", "O'Neil\u2010Lin"),
]


@pytest.mark.parametrize("ends", ["x", "digit"])
def test_two_hundred_spellings_are_one_registration(tmp_path: Path, ends: str) -> None:
    last_x = next(
        digits
        for order in range(1000)
        if number_of(digits := f"11010519491231{order:03}")[17] == "X"
    )
    number = number_of(last_x if ends == "x" else "11010519491231002")
    who = InventedPerson(
        country="CN",
        number=number,
        alive=True,
        person=RegisteredPerson(
            family_name=NAMES[0][0],
            given_name=NAMES[0][1],
            birth_date=date(1949, 12, 31),
            sex=None,
            nationality=None,
            address=None,
        ),
    )
    place = installation(tmp_path, register=EmbeddedRegister((who,)))
    spellings = list(itertools.product(number_spellings(number), NAMES))
    assert len(set(spellings)) == SPELLINGS // 2

    seen = {
        place.real_names.enrol(
            evidence=Enrolment(
                agency="civil-registry",
                country="CN",
                number=spelt,
                family_name=family,
                given_name=given,
                birth_date=date(1949, 12, 31),
                evidence=("document", "biometric-match"),
            ),
            actor="issuer:civil-registry",
        ).subject
        for spelt, (family, given) in spellings
    }

    assert len(seen) == 1
    assert place.review.waiting() == []
    assert place.vault.find(f"cn.resident|{number}".encode())
