"""Write examples/customers.csv: about 3,000 invented customers, with the errors that real files have.

The same file each time (seeded), so a test can compare. Addresses end in example.com or example.org, and phone numbers
are 555-01xx: neither belongs to anybody (RFC 2606; North American Numbering Plan, fictional numbers).

    python scripts/make_example.py [FILE]
"""

from __future__ import annotations

import csv
import io
import random
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "customers.csv"

PEOPLE = 2_900
REPEATED = 100

HEADER = (
    "Customer ID", "First Name", "Last Name", "Email", "Phone", "Birthday", "Gender", "Company", "Street", "City",
    "State", "Zip", "Country", "Loyalty tier", "Notes",
)  # fmt: skip

_FIRST_NAMES = """
    Ada Alan Amélie Anders Ángel Beatriz Björn Chidi Chloë Dolores Édouard Emeka Fatima François Grace Günther Hana
    Hiroshi Ingrid Ioana Jane John José Jürgen Kateřina Kwame Lars Leïla Linda Łukasz María Mei Mohammed Nadia Noël
    Olga Paul Priya Quentin Renée Robert Sašo Sofia Søren Tomás Ursula Víctor Wanda Yasmin Zoë
""".split()  # noqa: SIM905  (a line for each name would fill the screen)
_LAST_NAMES = """
    Andersen Becker Brontë Castañeda Chen Dubois Eriksson Fernández García Hansen Haddad Ionescu Jensen Johnson Kaya
    Kovač Kowalska Lefèvre Lindqvist López Martin Meier Müller Nakamura Nguyen Núñez O'Brien Okafor Olsen Patel Peña
    Petrović Ramírez Rossi Sánchez Schröder Silva Smith Söderberg Šimić Takahashi Tremblay Ünal Vargas Weiß Williams
    Yılmaz Zając Zhang Żukowski
""".split()  # noqa: SIM905  (a line for each name would fill the screen)
_COMPANIES = (
    "Acme Tools", "Bluebird, Inc.", "Café Central", "Dunder & Sons", 'The "Old" Mill', "Globex", "Hooli", "Initech",
)  # fmt: skip
_STREETS = ("Main St", "Oak Avenue", "2nd Street", "Elm Road", "Park Lane", "Church St, Apt 4", "Hauptstraße")
_CITIES = (
    ("Springfield", "IL", "62701"), ("Portland", "OR", "97201"), ("Austin", "TX", "73301"), ("Boston", "MA", "02108"),
    ("Cañon City", "CO", "81212"), ("Saint-Jean", "VT", "05001"),
)  # fmt: skip
_AREA_CODES = ("212", "312", "503", "512", "617", "802")
_TIERS = ("", "bronze", "silver", "gold")
_NOTES = ("", "", "", "", "prefers e-mail", "Moved recently.\nAsk for the new address.", 'known as "Zee"')


def make_example() -> bytes:
    """Make the whole file: UTF-8 with CRLF, except the rows that are broken on purpose."""
    chance = random.Random(20260101)
    people = [_person(chance, number) for number in range(1, PEOPLE + 1)]
    rows = [_line(person) for person in people]
    # The same people again, further down, spelled as a different person would.
    for person in chance.sample(people, REPEATED):
        rows.insert(chance.randrange(len(rows) // 2, len(rows)), _line(_retyped(chance, person)))
    for position in (57, 911, 1_502, 2_204):
        # Without the trailing blank cells, as some programs write them.
        rows[position] = rows[position].split(b",")[0] + b",Short,Row,short.row.%d@example.org\r\n" % position
    for position, row in _broken_rows():
        rows.insert(position, row)
    rows.insert(1_000, b"\r\n")
    return _line(HEADER) + b"".join(rows)


def _person(chance: random.Random, number: int) -> list[str]:
    first, last = chance.choice(_FIRST_NAMES), chance.choice(_LAST_NAMES)
    city, state, zip_code = chance.choice(_CITIES)
    return [
        f"C-{number:05}",
        first,
        last,
        f"customer{number}@example.{chance.choice(('com', 'org'))}",
        chance.choice(("", _phone(chance), _phone(chance), _phone(chance))),
        chance.choice(("", f"{chance.randint(1940, 2007)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}")),
        chance.choice(("", "FEMALE", "MALE", "non-binary")),
        chance.choice(("", "", "", *_COMPANIES)),
        f"{chance.randint(1, 990)} {chance.choice(_STREETS)}",
        city,
        state,
        zip_code,
        "US",
        chance.choice(_TIERS),
        chance.choice(_NOTES),
    ]


def _phone(chance: random.Random) -> str:
    area, last = chance.choice(_AREA_CODES), chance.randint(100, 199)
    form = chance.choice(("+1 {0}-555-0{1}", "({0}) 555-0{1}", "{0}5550{1}", "{0}.555.0{1}"))
    return form.format(area, last)


def _retyped(chance: random.Random, person: list[str]) -> list[str]:
    again = list(person)
    again[3] = chance.choice((again[3].upper(), again[3].title(), f" {again[3]} "))
    again[4] = _phone(chance)
    # Blank cells, which must not remove the values of the first row.
    again[5] = again[7] = again[14] = ""
    again[13] = "gold"
    return again


def _broken_rows() -> list[tuple[int, bytes]]:
    return [
        (120, b"C-90001,Nomail,Nobody,,212-555-0101\r\n"),
        (640, b"C-90002,Nomail,Nobody,   ,\r\n"),
        (700, b"C-90003,Toomany,Cells,toomany@example.com,,,,Bluebird, Inc.,1 Main St,Boston,MA,02108,US,gold,x,y\r\n"),
        (1_210, b"C-90004,Too,Long,toolong@example.com,,,," + b"Very " * 60 + b"Long Company\r\n"),
        (1_777, b'C-90005,"Quo"ted,Wrong,quoted@example.com\r\n'),
        (2_345, b"C-90006,Ren\xe9e,Latin,latin1@example.com\r\n"),
        (2_890, b"C-90007,Nomail,Again,,\r\n"),
    ]


def _line(cells: list[str] | tuple[str, ...]) -> bytes:
    output = io.StringIO()
    csv.writer(output, lineterminator="\r\n").writerow(cells)
    return output.getvalue().encode()


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLE
    path.write_bytes(make_example())
    print(f"wrote {path}")
