"""Files as other programs export them are mapped right: invented rows under the real headers."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from openprofiles.uploads.mappings.suggest import suggest_mapping

EXPORTS = Path(__file__).parent / "exports"

# What goes to a field; every other column is an attribute. Then the unique key.
EXPECTED: dict[str, tuple[dict[str, str], str | None]] = {
    "google-contacts": (
        {
            "First Name": "FirstName",
            "Middle Name": "MiddleName",
            "Last Name": "LastName",
            "Organization Name": "BusinessName",
            "Birthday": "BirthDate",
            "E-mail 1 - Value": "EmailAddress",
            "Phone 1 - Value": "PhoneNumber",
            "Address 1 - Street": "Address.Address1",
            "Address 1 - Extended Address": "Address.Address2",
            "Address 1 - City": "Address.City",
            "Address 1 - Region": "Address.State",
            "Address 1 - Postal Code": "Address.PostalCode",
            "Address 1 - Country": "Address.Country",
        },
        "E-mail 1 - Value",
    ),
    "outlook": (
        {
            "First Name": "FirstName",
            "Middle Name": "MiddleName",
            "Last Name": "LastName",
            "E-mail Address": "EmailAddress",
            "Home Phone": "HomePhoneNumber",
            "Business Phone": "BusinessPhoneNumber",
            "Mobile Phone": "MobilePhoneNumber",
            "Primary Phone": "PhoneNumber",
            "Company": "BusinessName",
            "Business Street": "Address.Address1",
            "Business City": "Address.City",
            "Business State": "Address.State",
            "Business Postal Code": "Address.PostalCode",
            "Business Country/Region": "Address.Country",
            "Birthday": "BirthDate",
        },
        "E-mail Address",
    ),
    "hubspot": (
        {
            "First Name": "FirstName",
            "Last Name": "LastName",
            "Email": "EmailAddress",
            "Phone Number": "PhoneNumber",
            "Mobile Phone Number": "MobilePhoneNumber",
            "Company Name": "BusinessName",
            "Street Address": "Address.Address1",
            "City": "Address.City",
            "State/Region": "Address.State",
            "Postal Code": "Address.PostalCode",
            "Country/Region": "Address.Country",
        },
        "Email",
    ),
    "salesforce": (
        {
            "First Name": "FirstName",
            "Last Name": "LastName",
            "Account Name": "BusinessName",
            "Contact ID": "AccountNumber",
            "Mailing Street": "MailingAddress.Address1",
            "Mailing City": "MailingAddress.City",
            "Mailing State/Province": "MailingAddress.State",
            "Mailing Zip/Postal Code": "MailingAddress.PostalCode",
            "Mailing Country": "MailingAddress.Country",
            "Phone": "PhoneNumber",
            "Home Phone": "HomePhoneNumber",
            "Mobile": "MobilePhoneNumber",
            "Email": "EmailAddress",
            "Birthdate": "BirthDate",
        },
        "Contact ID",
    ),
    "shopify": (
        {
            "Customer ID": "AccountNumber",
            "First Name": "FirstName",
            "Last Name": "LastName",
            "Email": "EmailAddress",
            "Default Address Company": "BusinessName",
            "Default Address Address1": "Address.Address1",
            "Default Address Address2": "Address.Address2",
            "Default Address City": "Address.City",
            "Default Address Province Code": "Address.Province",
            "Default Address Country Code": "Address.Country",
            "Default Address Zip": "Address.PostalCode",
            "Default Address Phone": "PhoneNumber",
        },
        "Customer ID",
    ),
    "woocommerce": (
        {
            "user_email": "EmailAddress",
            "billing_first_name": "FirstName",
            "billing_last_name": "LastName",
            "billing_company": "BusinessName",
            "billing_phone": "PhoneNumber",
            "billing_address_1": "BillingAddress.Address1",
            "billing_address_2": "BillingAddress.Address2",
            "billing_postcode": "BillingAddress.PostalCode",
            "billing_city": "BillingAddress.City",
            "billing_state": "BillingAddress.State",
            "billing_country": "BillingAddress.Country",
            "shipping_address_1": "ShippingAddress.Address1",
            "shipping_address_2": "ShippingAddress.Address2",
            "shipping_postcode": "ShippingAddress.PostalCode",
            "shipping_city": "ShippingAddress.City",
            "shipping_state": "ShippingAddress.State",
            "shipping_country": "ShippingAddress.Country",
        },
        "user_email",
    ),
    "mailchimp": (
        {
            "Email Address": "EmailAddress",
            "First Name": "FirstName",
            "Last Name": "LastName",
            "Address": "Address.Address1",
            "Phone Number": "PhoneNumber",
            "Birthday": "BirthDate",
            "Company": "BusinessName",
        },
        "Email Address",
    ),
    "stripe": (
        {
            "Email": "EmailAddress",
            "Card Address Line1": "BillingAddress.Address1",
            "Card Address Line2": "BillingAddress.Address2",
            "Card Address City": "BillingAddress.City",
            "Card Address State": "BillingAddress.State",
            "Card Address Country": "BillingAddress.Country",
            "Card Address Zip": "BillingAddress.PostalCode",
        },
        "Email",
    ),
    "linkedin": (
        {
            "First Name": "FirstName",
            "Last Name": "LastName",
            "Email Address": "EmailAddress",
            "Company": "BusinessName",
        },
        None,
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_export_is_mapped_wholly_right(name: str) -> None:
    with (EXPORTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        headers, *rows = csv.reader(file)

    suggestion = suggest_mapping(headers, None, rows)

    targets = {field.header: field.target for field in suggestion.fields}
    expected, unique_key = EXPECTED[name]
    assert {header: path for header, path in targets.items() if not path.startswith("Attributes.")} == expected
    assert targets.keys() == set(headers)
    assert (suggestion.unique_key and suggestion.unique_key.header) == unique_key
    assert [field.header for field in suggestion.fields if field.is_doubtful] == []
