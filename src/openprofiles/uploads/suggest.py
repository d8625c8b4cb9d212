"""Suggest where each column of a file goes, from nothing but the names in its header.

A column whose name says what it is goes to that field of the standard profile; any other becomes a custom attribute
under its own name. No two columns get one target: the better match keeps it, of equal ones the first in the file.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from openprofiles.errors import InvalidRequest
from openprofiles.profiles.normal_forms import is_blank
from openprofiles.profiles.standard_profile import (
    ADDRESSES,
    ATTRIBUTES_PREFIX,
    EMAIL_KEY,
    FIELD_BY_PATH,
    FULL_NAME_PATHS,
    MAX_ATTRIBUTE_NAME_LENGTH,
    PHONE_KEY,
    field_of_target,
)
from openprofiles.uploads.failed_rows_csv import OWN_COLUMNS
from openprofiles.uploads.mapping import SOURCE_PREFIX, TARGET_PREFIX

MAX_FIELD_NAME_LENGTH = 64
# Source and Target of a field have at most 1000 characters (service model, shape text).
_MAX_HEADER_LENGTH = 1000 - len(SOURCE_PREFIX)

_FIELD_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}\Z")
_NOT_IN_FIELD_NAME = re.compile(r"[^a-zA-Z0-9_.-]+")
# The rule of the website for names of custom attributes (reference, section 2.3).
_ATTRIBUTE_NAME = re.compile(r"[a-zA-Z0-9]+(?:[ _\-]+[a-zA-Z0-9]+)*\Z")
_NOT_IN_ATTRIBUTE_NAME = re.compile(r"[^a-zA-Z0-9 _-]+")
_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+")

# Names that people give to columns, as the words run together in lower case; the API's own names are added below.
_SYNONYMS: dict[str, str] = {
    "AccountNumber": "account accountid accountno accountnr accountnum acct acctid acctno acctnumber acctnum "
    "customerid customerno customernr customernumber customernum custid custno clientid clientno clientnumber "
    "memberid memberno membernumber membershipnumber crmid",
    "AdditionalInformation": "additionalinfo",
    "PartyTypeString": "partytype",
    "BusinessName": "company companyname business organization organisation organizationname organisationname org "
    "orgname employer firm accountname",
    "FirstName": "fname firstnames givenname givennames given forename forenames christianname",
    "MiddleName": "mname middlenames middle middleinitial secondname",
    "LastName": "lname lastnames surname familyname family secondsurname",
    "BirthDate": "dob dateofbirth birthday bday birthdate born",
    "GenderString": "gender sex",
    "PhoneNumber": "phone phoneno phonenr phonenum telephone telephoneno telephonenumber tel telno telnumber telnr "
    "phone1 primaryphone mainphone contactnumber",
    "MobilePhoneNumber": "mobile mobileno mobilenumber mobilenr mobilephone mobiletel cell cellno cellnumber cellphone "
    "cellphonenumber cellular handy smartphone",
    "HomePhoneNumber": "homephone hometel hometelephone homenumber landline landlinenumber",
    "BusinessPhoneNumber": "businessphone businesstel businesstelephone workphone workphonenumber worktel "
    "worktelephone officephone officephonenumber companyphone",
    "EmailAddress": "email mail emailaddr emailid email1 mailaddress primaryemail primaryemailaddress",
    "PersonalEmailAddress": "personalemail privateemail privateemailaddress homeemail homeemailaddress",
    "BusinessEmailAddress": "businessemail workemail workemailaddress officeemail companyemail",
    "ProfileType": "",
}

_ADDRESS_SYNONYMS: dict[str, str] = {
    "Address1": "address addressline addressline1 addr addr1 line1 street street1 streetaddress streetname "
    "streetandnumber streetline1",
    "Address2": "addressline2 addr2 line2 street2 streetline2 apt apartment suite unit",
    "Address3": "addressline3 addr3 line3 street3 streetline3",
    "Address4": "addressline4 addr4 line4 street4 streetline4",
    "City": "town cityname citytown locality",
    "County": "",
    "State": "statecode stateprovince stateorprovince stateregion",
    "Province": "",
    "Country": "countrycode countryname countryregion nation",
    "PostalCode": "zip zipcode postcode postal zippostalcode zippostal postalzip plz",
}

# A word that says whose address the rest of the name means. "Home" is a person's own, hence the plain address.
_ADDRESS_WORDS = {
    "billing": "BillingAddress",
    "bill": "BillingAddress",
    "invoice": "BillingAddress",
    "shipping": "ShippingAddress",
    "ship": "ShippingAddress",
    "delivery": "ShippingAddress",
    "mailing": "MailingAddress",
    "home": "Address",
}
# Words that say nothing about which field is meant.
_FILLER_WORDS = frozenset(("customer", "client", "contact", "user", "member", "person", "profile", "your", "my", "the"))


def _known_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for path, synonyms in _SYNONYMS.items():
        names |= dict.fromkeys([path.lower(), *synonyms.split()], path)
    return names


def _known_address_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for member, synonyms in _ADDRESS_SYNONYMS.items():
        names |= dict.fromkeys([member.lower(), *synonyms.split()], member)
    return names


_NAMES = _known_names()
_ADDRESS_NAMES = _known_address_names()


@dataclass(frozen=True, slots=True)
class SuggestedField:
    """One column and where it goes.

    Attributes:
        name: its key in ``Fields``.
        header: the column's header, exactly as in the file.
        target: the field of the profile, such as ``EmailAddress`` or ``Attributes.tier``.
    """

    name: str
    header: str
    target: str

    @property
    def content_type(self) -> str:
        """How the service is told to compare the values."""
        standard = field_of_target(self.target)
        if standard is None:
            return "STRING"
        by_key = {EMAIL_KEY: "EMAIL_ADDRESS", PHONE_KEY: "PHONE_NUMBER"}
        return by_key.get(standard.key_name or "", "NAME" if standard.path in FULL_NAME_PATHS else "STRING")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A column that is not loaded, and why. ``column_number`` counts from 1."""

    column_number: int
    header: str
    reason: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What becomes of every column of a file, in its order."""

    fields: tuple[SuggestedField, ...]
    left_out: tuple[LeftOut, ...]

    def to_fields(self) -> dict[str, dict[str, str]]:
        """``Fields`` of CreateUploadJob."""
        return {
            field.name: {
                "Source": SOURCE_PREFIX + field.header,
                "Target": TARGET_PREFIX + field.target,
                "ContentType": field.content_type,
            }
            for field in self.fields
        }

    def find_unique_key(self, unique_key: str) -> SuggestedField:
        """The field that the given header, field name or target means, looked for in this order.

        Raises:
            InvalidRequest: it means none of the columns that are loaded.
        """
        path = unique_key.removeprefix(TARGET_PREFIX)
        standard = field_of_target(path)
        target = standard.path if standard else path
        for found in (
            [field for field in self.fields if field.header == unique_key],
            [field for field in self.fields if field.name == unique_key],
            [field for field in self.fields if field.target == target],
        ):
            if found:
                return found[0]
        for column in self.left_out:
            if column.header == unique_key:
                raise InvalidRequest(f"The unique key {unique_key!r} cannot be used: {column.reason}.")
        headers = ", ".join(repr(field.header) for field in self.fields)
        raise InvalidRequest(f"The unique key {unique_key!r} is no column of the file. Its columns are: {headers}.")


def suggest_mapping(headers: Sequence[str], chosen: Mapping[str, str] | None = None) -> Suggestion:
    """Say for each column where it goes.

    Args:
        headers: the names of all columns, in the order of the file.
        chosen: targets that were decided already, by header, with or without ``_profile.``; an empty one leaves the
            column out. No suggestion takes a target that is chosen for another column.

    Raises:
        InvalidRequest: a chosen header is no column, or the name of several; no column is left to be loaded.
    """
    chosen = chosen or {}
    counts = Counter(headers)
    for header in chosen:
        if header not in counts:
            known = ", ".join(repr(name) for name in counts)
            raise InvalidRequest(f"The column {header!r} is not in the header of the file. Its columns are: {known}.")
        if counts[header] > 1 and chosen[header]:
            raise InvalidRequest(
                f"The header of the file has {counts[header]} columns {header!r}, so it cannot be told which one is "
                "meant. Rename all but one."
            )
    left_out = [
        LeftOut(number, header, reason)
        for number, header in enumerate(headers, start=1)
        if (reason := _reason_to_leave_out(header, counts, chosen))
    ]
    without = {column.column_number for column in left_out}
    columns = [header for number, header in enumerate(headers, start=1) if number not in without]
    if not columns:
        raise InvalidRequest("No column of the file is left to be loaded.")
    targets = _assign_targets(columns, chosen)
    names = _name_fields(columns)
    return Suggestion(
        tuple(SuggestedField(names[header], header, targets[header]) for header in columns), tuple(left_out)
    )


def _reason_to_leave_out(header: str, counts: Mapping[str, int], chosen: Mapping[str, str]) -> str | None:
    if chosen.get(header) == "":
        return "it was asked to be left out"
    if is_blank(header):
        return "it has no name in the header"
    if header in OWN_COLUMNS and header not in chosen:
        return "it tells why the row was not loaded before"
    if counts[header] > 1:
        return f"{counts[header]} columns have this name; rename all but one"
    if len(header) > _MAX_HEADER_LENGTH:
        return f"its name has more than {_MAX_HEADER_LENGTH} characters"
    return None


def _assign_targets(columns: Sequence[str], chosen: Mapping[str, str]) -> dict[str, str]:
    targets = {header: _full_path(chosen[header]) for header in columns if header in chosen}
    taken = set(targets.values())
    matches = [(*match, position) for position, header in enumerate(columns) if (match := _match(header))]
    for _rank, path, position in sorted(matches, key=lambda match: (match[0], match[2])):
        header = columns[position]
        if header not in targets and path not in taken:
            targets[header] = path
            taken.add(path)
    names = {target.removeprefix(ATTRIBUTES_PREFIX) for target in taken if target.startswith(ATTRIBUTES_PREFIX)}
    for position, header in enumerate(columns, start=1):
        if header not in targets:
            name = _make_unique(_attribute_name(header, position), names, MAX_ATTRIBUTE_NAME_LENGTH)
            names.add(name)
            targets[header] = ATTRIBUTES_PREFIX + name
    return targets


def _full_path(target: str) -> str:
    path = target.removeprefix(TARGET_PREFIX)
    standard = field_of_target(path)
    return standard.path if standard else path


def _match(header: str) -> tuple[int, str] | None:
    """The standard field that a header means, and how sure that is: 0 is its own name, higher is less sure."""
    words = _words(header)
    compact = "".join(words)
    if compact in _OWN_NAMES:
        return 0, _OWN_NAMES[compact]
    if compact in _NAMES:
        return 1, _NAMES[compact]
    if compact in _ADDRESS_NAMES:
        return 1, f"Address.{_ADDRESS_NAMES[compact]}"
    path = _match_address(words)
    if path:
        return 2, path
    telling = [word for word in words if word not in _FILLER_WORDS]
    if telling and telling != words and (match := _match(" ".join(telling))):
        return match[0] + 3, match[1]
    return None


def _match_address(words: Sequence[str]) -> str | None:
    """As ``billing zip``, ``ship to city``, ``address billing 2``."""
    for index, word in enumerate(words):
        address = _ADDRESS_WORDS.get(word)
        if address is None:
            continue
        rest = [*words[:index], *words[index + 1 :]]
        if rest[index : index + 1] == ["to"]:
            del rest[index]
        for compact in ("".join(rest), "".join(rest).removeprefix("address")):
            if compact in _ADDRESS_NAMES:
                return f"{address}.{_ADDRESS_NAMES[compact]}"
    return None


def _words(header: str) -> list[str]:
    """``E-mail``, ``FirstName`` and ``address_line 2`` as e mail, first name, address line 2."""
    spaced = _CAMEL_CASE.sub(" ", unicodedata.normalize("NFKC", header))
    return _WORD.findall(spaced.casefold())


def _attribute_name(header: str, position: int) -> str:
    text = header.strip()
    if not _ATTRIBUTE_NAME.match(text):
        ascii_text = _without_accents(text)
        cleaned = _NOT_IN_ATTRIBUTE_NAME.sub("_", ascii_text).strip(" _-")
        # A name in another script would lose everything that tells it from the next one.
        text = cleaned if _keeps_letters(text, cleaned) else text
    return text[:MAX_ATTRIBUTE_NAME_LENGTH].rstrip(" _-") or f"column {position}"


def _name_fields(columns: Sequence[str]) -> dict[str, str]:
    """A name for each field, its header where that will do."""
    # First those that can be kept, so that a header is never the field name of another column.
    names = {header: header for header in columns if _FIELD_NAME.match(header)}
    taken = set(names.values())
    for position, header in enumerate(columns, start=1):
        if header not in names:
            cleaned = _NOT_IN_FIELD_NAME.sub("_", _without_accents(header)).strip("_.-")
            base = cleaned if _keeps_letters(header, cleaned) else f"column_{position}"
            names[header] = _make_unique(base[:MAX_FIELD_NAME_LENGTH], taken, MAX_FIELD_NAME_LENGTH)
            taken.add(names[header])
    return names


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _keeps_letters(before: str, after: str) -> bool:
    """Whether at least half of the letters and digits are still there."""
    return 2 * sum(map(str.isalnum, after)) >= max(1, sum(map(str.isalnum, before)))


def _make_unique(name: str, taken: Iterable[str], max_length: int) -> str:
    number, unique = 1, name
    while unique in taken:
        number += 1
        suffix = f"_{number}"
        unique = name[: max_length - len(suffix)] + suffix
    return unique


_OWN_NAMES = {path.replace(".", "").lower(): path for path in FIELD_BY_PATH} | {
    member.lower(): f"{ADDRESSES[0]}.{member}" for member in _ADDRESS_SYNONYMS
}
