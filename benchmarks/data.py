"""Make the files of the benchmarks: customer lists of 13 columns, generated from a seed, identical on every machine.

One customer in eight has a name with a letter beyond ASCII, one email address in four is in mixed case, and phone
numbers are written in four ways. Nobody of these exists.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

COLUMNS = (
    "customer_id",
    "first_name",
    "last_name",
    "email",
    "phone",
    "birth_date",
    "gender",
    "street",
    "city",
    "state",
    "postal_code",
    "country",
    "tier",
)
UNIQUE_KEY = "customer_id"
TARGETS = {
    "customer_id": "AccountNumber",
    "first_name": "FirstName",
    "last_name": "LastName",
    "email": "EmailAddress",
    "phone": "PhoneNumber",
    "birth_date": "BirthDate",
    "gender": "Gender",
    "street": "Address.Address1",
    "city": "Address.City",
    "state": "Address.State",
    "postal_code": "Address.PostalCode",
    "country": "Address.Country",
    "tier": "Attributes.tier",
}
NOTES_COLUMN = "notes"
NOTES_TARGET = "AdditionalInformation"

_SEED = 20260815

_FIRST_NAMES = (
    "Adaeze Aiko Alejandra Amara Anneliese Astrid Barnaby Beatriz Bogdan Brigitte Caitlin Carlos Chiara Cordelia "
    "Dagny Darius Delphine Dmitri Eleanor Emeka Esperanza Farid Fatima Fiona Gabriel Greta Gustav Hadiya Harriet Hugo "
    "Ignatius Imogen Ingrid Isidora Jasper Joaquin Josephine Kaito Katarzyna Kofi Lars Leocadia Linnea Lucinda Magnus "
    "Mariam Maximilian Mehmet Mirabel Nadia Natsuki Nikolai Odette Olumide Ophelia Oskar Penelope Priya Quentin "
    "Rafaela Rosalind Rupert Sabine Saoirse Sebastian Soledad Stanislav Tabitha Tariq Theodora Tobias Ulrich Valentina "
    "Viktor Wilhelmina Winifred Xavier Yasmin Yusuf Zuzana"
).split()
_FIRST_NAMES_BEYOND_ASCII = "Zoë André Jürgen Åsa Chloé Łukasz Nuñez Søren Émile İlkay Бориc Ελένη 美咲 Øyvind".split()
_LAST_NAMES = (
    "Abernathy Adeyemi Almeida Andersson Baptiste Bergstrom Blackwood Castellanos Chowdhury Cunningham Delacroix "
    "Dimitriou Eisenberg Espinoza Fairweather Fitzgerald Fontaine Gallagher Grimaldi Haverford Henriksen Hollingsworth "
    "Ishikawa Jankowski Johannesson Kapoor Karlsson Kowalski Lindqvist Lockhart MacAllister Marchetti Montgomery "
    "Nakamura Nightingale Oyelaran Papadopoulos Pemberton Petrova Quintanilla Ramaswamy Rosenberg Salvatore "
    "Schwarzkopf Silverstein Stavros Sutherland Takahashi Thibodeaux Underwood Vandermeer Villanueva Wainwright "
    "Wetherby Whittaker Yamamoto Zimmermann"
).split()
_LAST_NAMES_BEYOND_ASCII = "Müller García Ångström Dvořák Lefèvre Şahin Gonçalves Kovács Núñez Björk".split()
_STREETS = (
    "Alder Ash Birch Cedar Chestnut Church Elm Franklin Garfield Harbor Hickory Jefferson Juniper Lakeview Laurel "
    "Lincoln Magnolia Maple Meadow Mulberry Orchard Park Pine Poplar Prospect Ridge River Spring Sycamore Walnut"
).split()
_STREET_KINDS = ("Street", "Avenue", "Road", "Boulevard", "Lane", "Drive")
_PLACES = tuple(
    tuple(place.split("/"))
    for place in (
        "Springfield/IL Portland/OR Austin/TX Columbus/OH Madison/WI Savannah/GA Boulder/CO Albany/NY Tucson/AZ "
        "Richmond/VA Lexington/KY Sacramento/CA Spokane/WA Knoxville/TN Lansing/MI Dayton/OH Fresno/CA Tampa/FL"
    ).split()
)
_MAIL_HOSTS = ("example.com", "example.org", "example.net", "mail.example.com", "post.example.org")
_TIERS = ("basic", "silver", "gold", "platinum")
_GENDERS = ("MALE", "FEMALE", "UNSPECIFIED", "")
_WORDS = (
    "asked about the delivery of an order, was called back; prefers mornings and wants no letters, the invoice went to "
    'the old address so it was sent again "as agreed" with the discount for members since then all is well'
).split()


@dataclass(frozen=True, slots=True)
class _Customer:
    number: int
    first_name: str
    last_name: str
    email: str
    phone: str
    birth_date: str
    gender: str
    street: str
    city: str
    state: str
    postal_code: str
    country: str
    tier: str

    def line(self) -> str:
        return (
            f"C{self.number:09d},{self.first_name},{self.last_name},{self.email},{self.phone},{self.birth_date},"
            f"{self.gender},{self.street},{self.city},{self.state},{self.postal_code},{self.country},{self.tier}"
        )


def _customer(number: int) -> _Customer:
    """Return the customer with this number, always the same one."""
    rng = random.Random(_SEED + number)
    random_bits = rng.getrandbits

    def one_of(choices: tuple[str, ...] | list[str]) -> str:
        return choices[random_bits(20) % len(choices)]

    first = one_of(_FIRST_NAMES if random_bits(4) else _FIRST_NAMES_BEYOND_ASCII)
    last = one_of(_LAST_NAMES if random_bits(4) else _LAST_NAMES_BEYOND_ASCII)
    place = _PLACES[random_bits(20) % len(_PLACES)]
    return _Customer(
        number=number,
        first_name=first,
        last_name=last,
        email=_email(rng, number),
        phone=_phone(rng),
        birth_date=f"{1940 + random_bits(6)}-{1 + random_bits(10) % 12:02d}-{1 + random_bits(10) % 28:02d}",
        gender=one_of(_GENDERS),
        street=_street(rng),
        city=place[0],
        state=place[1],
        postal_code=f"{10_000 + random_bits(16)}",
        country="US",
        tier=one_of(_TIERS),
    )


def _email(rng: random.Random, number: int) -> str:
    first = _FIRST_NAMES[rng.getrandbits(20) % len(_FIRST_NAMES)]
    last = _LAST_NAMES[rng.getrandbits(20) % len(_LAST_NAMES)]
    local = f"{first}.{last}{number % 100_000}"
    if rng.getrandbits(2):
        local = local.lower()
    return f"{local}@{_MAIL_HOSTS[rng.getrandbits(10) % len(_MAIL_HOSTS)]}"


def _phone(rng: random.Random) -> str:
    area, exchange, line = 200 + rng.getrandbits(9), 200 + rng.getrandbits(9), rng.getrandbits(13)
    form = rng.getrandbits(2)
    if form == 0:
        return f"+1{area}{exchange}{line:04d}"
    if form == 1:
        return f"({area}) {exchange}-{line:04d}"
    if form == 2:
        return f"{area}-{exchange}-{line:04d}"
    return f"{area}{exchange}{line:04d}"


def _street(rng: random.Random) -> str:
    name = _STREETS[rng.getrandbits(20) % len(_STREETS)]
    return f"{1 + rng.getrandbits(13)} {name} {_STREET_KINDS[rng.getrandbits(20) % len(_STREET_KINDS)]}"


def _changed(number: int) -> _Customer:
    """Return the same customer a year later.

    All have a new address, every second one a new phone number, every fourth one a new email address."""
    before = _customer(number)
    rng = random.Random(-_SEED - number)
    place = _PLACES[rng.getrandbits(20) % len(_PLACES)]
    return replace(
        before,
        street=_street(rng),
        city=place[0],
        state=place[1],
        postal_code=f"{10_000 + rng.getrandbits(16)}",
        phone=_phone(rng) if number % 2 else before.phone,
        email=_email(rng, number) if number % 4 == 0 else before.email,
    )


def customers(numbers: Iterable[int]) -> Iterator[str]:
    """Return the lines of these customers."""
    for number in numbers:
        yield _customer(number).line()


def first_file(row_count: int) -> Iterator[str]:
    """Make customers 1 to ``row_count``, in the order of the unique key."""
    return customers(range(1, row_count + 1))


def shuffled_file(row_count: int) -> Iterator[str]:
    """Make the same customers in random order."""
    numbers = list(range(1, row_count + 1))
    random.Random(_SEED).shuffle(numbers)
    return customers(numbers)


def second_file(row_count: int, stored_count: int) -> Iterator[str]:
    """Make the last stored customers, changed, and as many new ones, in random order."""
    half = row_count // 2
    return _changed_and_new(range(stored_count - half + 1, stored_count + 1), stored_count, row_count - half)


def spread_file(row_count: int, stored_count: int) -> Iterator[str]:
    """Make the same with stored customers from all parts: nearly every page of the store changes."""
    half = row_count // 2
    return _changed_and_new(range(1, stored_count + 1, stored_count // half), stored_count, row_count - half)


def _changed_and_new(stored: Iterable[int], stored_count: int, new_count: int) -> Iterator[str]:
    lines = [(number, True) for number in stored]
    lines += [(number, False) for number in range(stored_count + 1, stored_count + 1 + new_count)]
    random.Random(_SEED).shuffle(lines)
    for number, is_stored in lines:
        yield (_changed(number) if is_stored else _customer(number)).line()


def repeated_file(row_count: int) -> Iterator[str]:
    """Make customers of whom three in ten repeat an earlier one, changed."""
    distinct = row_count * 7 // 10
    numbers = list(range(1, distinct + 1))
    rng = random.Random(_SEED)
    numbers += [rng.randrange(1, distinct + 1) for _ in range(row_count - distinct)]
    rng.shuffle(numbers)
    seen = bytearray(distinct + 1)
    for number in numbers:
        yield (_changed(number) if seen[number] else _customer(number)).line()
        seen[number] = 1


def notes_file(row_count: int) -> Iterator[str]:
    """Make customers with a long quoted text.

    It has 600 to 950 characters, among them commas, quotes and line ends."""
    for number in range(1, row_count + 1):
        rng = random.Random(_SEED + number)
        words = rng.choices(_WORDS, k=rng.randrange(120, 180))
        text = " ".join(words)[:950].replace('"', '""')
        middle = len(text) // 2
        while '"' in (text[middle - 1], text[middle]):
            middle += 1
        yield f'{_customer(number).line()},"{text[:middle]}\n{text[middle:]}"'


def failing_file(row_count: int) -> Iterator[str]:
    """Make customers without a customer number, so that every row fails."""
    for line in first_file(row_count):
        yield line[line.index(",") :]


def write_file(path: Path, lines: Iterator[str], *, columns: tuple[str, ...] = COLUMNS) -> None:
    """Write a CSV file unless it exists."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(columns) + "\n")
        file.writelines(line + "\n" for line in lines)
    unfinished.rename(path)
