"""Check that phone numbers without a country code are treated as numbers from the right country."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from openprofiles.cli.importer import ImportFault
from openprofiles.cli.place import ImportDomain

if TYPE_CHECKING:
    from openprofiles.cli.source_file import SourceFile
    from openprofiles.uploads.mappings.phone_country import PhoneCountry
    from openprofiles.uploads.mappings.suggest import SuggestedField


@dataclass(frozen=True, slots=True)
class GivenPhoneRegion:
    """The country that new domains get.

    Attributes:
        region: the country (ISO 3166).
        is_argument: whether it was given as an argument of this command.
        is_given: whether it was given at all, perhaps in the environment.
    """

    region: str
    is_argument: bool = False
    is_given: bool = False

    @classmethod
    def of_command(cls, region: str) -> GivenPhoneRegion:
        """Make it from the parameters of the command that runs."""
        source = click.get_current_context().get_parameter_source("phone_region")
        return cls(
            region,
            is_argument=source is ParameterSource.COMMANDLINE,
            is_given=source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT),
        )


def weigh_phones(source: SourceFile, fields: Iterable[SuggestedField], region: str) -> PhoneCountry | None:
    """Weigh the country of the phone numbers in the first rows; None if all have a country code."""
    from openprofiles.uploads.mappings.phone_country import weigh_phone_country

    return weigh_phone_country(fields, source.headers, source.sample.rows, region)


def check_phone_country(country: PhoneCountry | None, given: GivenPhoneRegion, domain: ImportDomain) -> None:
    """Refuse to load phone numbers that would be read as numbers of another country.

    Args:
        country: what the file shows, weighed for that of the domain.

    Raises:
        ImportFault: another one was given, or the file clearly has numbers of another one and the domain is new.
    """
    from openprofiles.uploads.mappings.phone_country import country_name

    region = domain.phone_region
    is_chosen_by_server = domain.was_created and domain.is_of_server
    create_first = (
        "Create the domain first: in the console, where you can choose the country, or with CreateDomain, which "
        f"chooses {country_name(region)}. Nothing was loaded."
    )
    if given.is_argument and given.region != region:
        raise ImportFault(
            f"In a new domain, the server treats phone numbers without a country code as numbers from "
            f"{country_name(region)}. {create_first}"
            if is_chosen_by_server
            else f"The domain {domain.name} treats phone numbers without a country code as numbers from "
            f"{country_name(region)}, which cannot be changed. Use --phone-region {region} or leave it out, or import "
            "into a new domain. Nothing was loaded."
        )
    if country is not None and country.suggested is not None and domain.was_created and not given.is_given:
        choose = f"Choose it with --phone-region {country.suggested} or --phone-region {region}. Nothing was loaded."
        raise ImportFault(
            f"{country.describe()} {country.describe_doubt()} A domain has one country, which cannot be changed. "
            f"{create_first if is_chosen_by_server else choose}"
        )


def phone_country_lines(country: PhoneCountry | None) -> Iterator[str]:
    """Describe for people how the phone numbers are read."""
    if country is None:
        return
    yield country.describe()
    if (doubt := country.describe_doubt()) is not None:
        yield f"Warning: {doubt} Numbers from other countries are compared by their digits alone."
