from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.errors import InvalidRequest
from openprofiles.facts.standard_profile import FIELD_BY_PATH
from openprofiles.uploads.mappings.suggest import SuggestedField, suggest_mapping
from openprofiles.uploads.mappings.upload_mapping import read_mapping
from openprofiles.uploads.mappings.whole_rows import describe_whole_rows


def targets(*headers: str, **chosen: str) -> list[str]:
    return [field.target for field in suggest_mapping(headers, chosen).fields]


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("First Name", "FirstName"),
        ("first_name", "FirstName"),
        ("firstname", "FirstName"),
        ("FIRST-NAME", "FirstName"),
        ("Given name", "FirstName"),
        ("Surname", "LastName"),
        ("E-mail", "EmailAddress"),
        ("Email", "EmailAddress"),
        ("email address", "EmailAddress"),
        ("Customer Email", "EmailAddress"),
        ("work_email", "BusinessEmailAddress"),
        ("Zip", "Address.PostalCode"),
        ("Postal Code", "Address.PostalCode"),
        ("Mobile", "MobilePhoneNumber"),
        ("cell", "MobilePhoneNumber"),
        ("Phone", "PhoneNumber"),
        ("Home phone", "HomePhoneNumber"),
        ("company", "BusinessName"),
        ("DOB", "BirthDate"),
        ("Date of birth", "BirthDate"),
        ("street", "Address.Address1"),
        ("Address", "Address.Address1"),
        ("Address Line 2", "Address.Address2"),
        ("address2", "Address.Address2"),
        ("City", "Address.City"),
        ("State", "Address.State"),
        ("country", "Address.Country"),
        ("Gender", "GenderString"),
        ("Account No.", "AccountNumber"),
        ("customer_id", "AccountNumber"),
        ("Billing Zip", "BillingAddress.PostalCode"),
        ("Ship to City", "ShippingAddress.City"),
        ("billing_address_line_2", "BillingAddress.Address2"),
        ("Mailing Street", "MailingAddress.Address1"),
        ("shippingAddressCity", "ShippingAddress.City"),
        ("ShippingAddress.City", "ShippingAddress.City"),
        ("Home City", "Address.City"),
        ("\u3000Ｅｍａｉｌ", "EmailAddress"),
        ("Vorname", "FirstName"),
        ("Nachname", "LastName"),
        ("Straße", "Address.Address1"),
        ("Straße und Hausnr.", "Address.Address1"),
        ("STRASSE", "Address.Address1"),
        ("PLZ", "Address.PostalCode"),
        ("Ort", "Address.City"),
        ("Land", "Address.Country"),
        ("E-Mail-Adresse", "EmailAddress"),
        ("Telefon", "PhoneNumber"),
        ("Handynummer", "MobilePhoneNumber"),
        ("Geburtsdatum", "BirthDate"),
        ("Kundennr.", "AccountNumber"),
        ("Prénom", "FirstName"),
        ("Pre\u0301nom", "FirstName"),
        ("Nom", "LastName"),
        ("Ville", "Address.City"),
        ("Code postal", "Address.PostalCode"),
        ("Téléphone", "PhoneNumber"),
        ("Date de naissance", "BirthDate"),
        ("Courriel", "EmailAddress"),
        ("Nombre", "FirstName"),
        ("Apellidos", "LastName"),
        ("Correo electrónico", "EmailAddress"),
        ("Teléfono móvil", "MobilePhoneNumber"),
        ("Código postal", "Address.PostalCode"),
        ("País", "Address.Country"),
        ("Dirección", "Address.Address1"),
        # Italian
        ("Nome", "FirstName"),
        ("Cognome", "LastName"),
        ("Indirizzo e-mail", "EmailAddress"),
        ("Telefono", "PhoneNumber"),
        ("Cellulare", "MobilePhoneNumber"),
        ("Ragione sociale", "BusinessName"),
        ("Data di nascita", "BirthDate"),
        ("Indirizzo", "Address.Address1"),
        ("Città", "Address.City"),
        ("CAP", "Address.PostalCode"),
        ("Nazione", "Address.Country"),
        ("Codice cliente", "AccountNumber"),
        ("Indirizzo di fatturazione", "BillingAddress.Address1"),
        # Portuguese
        ("Sobrenome", "LastName"),
        ("Apelido", "LastName"),
        ("Endereço de e-mail", "EmailAddress"),
        ("Telefone", "PhoneNumber"),
        ("Telemóvel", "MobilePhoneNumber"),
        ("Razão Social", "BusinessName"),
        ("Data de Nascimento", "BirthDate"),
        ("Morada", "Address.Address1"),
        ("Endereço", "Address.Address1"),
        ("Cidade", "Address.City"),
        ("CEP", "Address.PostalCode"),
        ("Código do cliente", "AccountNumber"),
        ("Cidade de entrega", "ShippingAddress.City"),
        # Dutch
        ("Voornaam", "FirstName"),
        ("Tussenvoegsel", "MiddleName"),
        ("Achternaam", "LastName"),
        ("E-mailadres", "EmailAddress"),
        ("Telefoonnummer", "PhoneNumber"),
        ("Mobiel", "MobilePhoneNumber"),
        ("Bedrijfsnaam", "BusinessName"),
        ("Geboortedatum", "BirthDate"),
        ("Straat", "Address.Address1"),
        ("Plaats", "Address.City"),
        ("Postcode", "Address.PostalCode"),
        ("Klantnr.", "AccountNumber"),
        ("Factuuradres plaats", "BillingAddress.City"),
        # Polish
        ("Imię", "FirstName"),
        ("Nazwisko", "LastName"),
        ("Adres e-mail", "EmailAddress"),
        ("Telefon komórkowy", "MobilePhoneNumber"),
        ("Numer telefonu", "PhoneNumber"),
        ("Nazwa firmy", "BusinessName"),
        ("Data urodzenia", "BirthDate"),
        ("Płeć", "GenderString"),
        ("Ulica", "Address.Address1"),
        ("Miejscowość", "Address.City"),
        ("Kod pocztowy", "Address.PostalCode"),
        ("Województwo", "Address.Province"),
        ("Kraj", "Address.Country"),
        ("Nr klienta", "AccountNumber"),
        ("Miasto dostawy", "ShippingAddress.City"),
        # Words before and after the name
        ("billing_phone", "PhoneNumber"),
        ("Rechnungs-PLZ", "BillingAddress.PostalCode"),
        ("Lieferanschrift", "ShippingAddress.Address1"),
        ("Liefer-Ort", "ShippingAddress.City"),
        ("Ville de livraison", "ShippingAddress.City"),
        ("Default Address City", "Address.City"),
        ("Default Address Company", "BusinessName"),
        ("Phone 1 - Value", "PhoneNumber"),
        ("Phone1", "PhoneNumber"),
        ("Email 1", "EmailAddress"),
        ("Primary Email Address", "EmailAddress"),
        ("Main phone", "PhoneNumber"),
        ("Business Street", "Address.Address1"),
        ("Company Address", "Address.Address1"),
        ("Address 1 - Region", "Address.State"),
        ("Card Address Zip", "BillingAddress.PostalCode"),
        ("Phone (home)", "HomePhoneNumber"),
        ("Name (first)", "FirstName"),
        # What only looks like it
        ("Phone 2 - Value", "Attributes.Phone 2 - Value"),
        ("Phone 1 - Label", "Attributes.Phone 1 - Label"),
        ("Address 2 - City", "Attributes.Address 2 - City"),
        ("Company Main Phone", "Attributes.Company Main Phone"),
        ("Preferred First Name", "Attributes.Preferred First Name"),
        ("Account Value", "Attributes.Account Value"),
        ("Business Unit", "Attributes.Business Unit"),
        ("Accepts Email Marketing", "Attributes.Accepts Email Marketing"),
        ("Assistant's Phone", "Attributes.Assistant_s Phone"),
        ("REGION", "Attributes.REGION"),
        ("Ship Via", "Attributes.Ship Via"),
        ("Loyalty tier", "Attributes.Loyalty tier"),
        ("Name", "Attributes.Name"),
        ("Bill", "Attributes.Bill"),
        ("Körpergröße [cm]", "Attributes.Korpergrosse _cm"),
        ("Størrelse (æ)", "Attributes.Storrelse _ae"),
        ("Łączna kwota", "Attributes.Laczna kwota"),
        ("% off", "Attributes.off"),
        ("会員番号", "Attributes.会員番号"),
    ],
)
def test_a_header_says_where_its_column_goes(header: str, target: str) -> None:
    assert targets(header) == [target]


@pytest.mark.parametrize("path", FIELD_BY_PATH)
def test_the_name_of_a_standard_field_means_that_field(path: str) -> None:
    assert targets(path) == [path]


def test_of_two_columns_for_one_target_the_better_match_wins_and_the_other_becomes_an_attribute() -> None:
    assert targets("Customer mail", "E-mail", "EmailAddress") == [
        "Attributes.Customer mail",
        "Attributes.E-mail",
        "EmailAddress",
    ]


def test_a_column_goes_to_the_attribute_that_the_domain_has_under_nearly_the_same_name() -> None:
    headers = ["Email", "loyalty_tier", "Opt-In", "opt in", "POINTS", "Größe", "%", "Sales %"]
    known = ["Loyalty Tier", "LOYALTY-TIER", "optin", "Points", "POINTS", "größe", "#", "Sales #"]

    fields = suggest_mapping(headers, {"Opt-In": "Attributes.optin"}, find_attributes=lambda: known).fields

    assert [(field.target, field.is_known_attribute) for field in fields] == [
        ("EmailAddress", False),
        ("Attributes.Loyalty Tier", True),
        ("Attributes.optin", False),
        # Another column goes to its attribute.
        ("Attributes.opt in", False),
        ("Attributes.POINTS", False),
        ("Attributes.größe", True),
        ("Attributes.%", False),
        ("Attributes.Sales", False),
    ]
    assert fields[1].reason == "kept as the custom attribute 'Loyalty Tier', which the domain has"


def test_two_columns_of_one_kind_that_are_filled_in_turn_should_be_merged() -> None:
    sample = [[f"p{n}@a.example", "", "206-555-0100", ""] for n in range(8)]
    sample += [["", f"q{n}@a.example", "", "206-555-0101"] for n in range(5)]
    headers = ["Email", "E-Mail Address", "Phone", "Telephone"]

    fields = suggest_mapping(headers, sample=sample).fields
    in_both = suggest_mapping(headers, sample=[*sample, ["p@a.example", "q@a.example", "", ""]]).fields

    assert [field.is_doubtful for field in fields] == [False, True, False, True]
    assert fields[1].reason == (
        "kept as a custom attribute, because another column goes to EmailAddress; no row has both, so merge it with "
        "'Email' into one column"
    )
    assert [field.is_doubtful for field in in_both] == [False, False, False, True]


@pytest.mark.parametrize(
    ("headers", "count", "other_count"),
    [
        # Few rows, and a small share of them; a private and a business address; and fields of two kinds.
        (["Email", "E-Mail Address"], 9, 4),
        (["Email", "E-Mail Address"], 90, 5),
        (["Home Street", "Business Street"], 9, 9),
        (["Phone", "Mobile"], 9, 9),
    ],
)
def test_other_columns_that_are_filled_in_turn_need_not_be_merged(
    headers: list[str], count: int, other_count: int
) -> None:
    sample = [["206-555-0100 Main St", ""]] * count + [["", "206-555-0100 Main St"]] * other_count

    fields = suggest_mapping(headers, sample=sample).fields

    assert not any("merge" in field.reason for field in fields)


def test_of_two_equal_matches_the_first_column_wins() -> None:
    assert targets("mobile", "cell") == ["MobilePhoneNumber", "Attributes.cell"]


def test_a_chosen_target_is_not_suggested_for_another_column() -> None:
    suggestion = suggest_mapping(["Email", "Login"], {"Login": "_profile.EmailAddress"})

    assert [field.target for field in suggestion.fields] == ["Attributes.Email", "EmailAddress"]


def test_an_empty_target_leaves_the_column_out() -> None:
    suggestion = suggest_mapping(["Email", "Secret"], {"Secret": ""})

    assert [field.header for field in suggestion.fields] == ["Email"]
    assert [(column.column_number, column.header) for column in suggestion.left_out] == [(2, "Secret")]


def test_columns_without_a_name_or_with_the_name_of_another_are_left_out_with_the_reason() -> None:
    suggestion = suggest_mapping(["Email", "", "City", "City", " "])

    assert [field.header for field in suggestion.fields] == ["Email"]
    assert [(column.column_number, column.reason) for column in suggestion.left_out] == [
        (2, "it has no name in the header"),
        (3, "2 columns have this name; rename all but one"),
        (4, "2 columns have this name; rename all but one"),
        (5, "it has no name in the header"),
    ]


@pytest.mark.parametrize(
    ("headers", "chosen", "message"),
    [
        (["Email"], {"Mail": "EmailAddress"}, "no column 'Mail'. Did you mean 'Email'? Its columns are: 'Email'."),
        (["Email", "Email"], {"Email": "EmailAddress"}, "has 2 columns named 'Email'"),
    ],
)
def test_a_choice_that_cannot_be_kept_is_refused(headers: list[str], chosen: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(message)):
        suggest_mapping(headers, chosen)


def test_fields_are_named_after_their_headers_as_far_as_the_pattern_lets_them() -> None:
    suggestion = suggest_mapping(["First Name", "First_Name", "E-mail", "会員番号", "Prénom"])

    assert [field.name for field in suggestion.fields] == ["First_Name_2", "First_Name", "E-mail", "column_4", "Prenom"]


@pytest.mark.parametrize("unique_key", ["First Name", "First_Name", "FirstName", "_profile.FirstName"])
def test_the_unique_key_is_a_header_a_field_name_or_a_target(unique_key: str) -> None:
    suggestion = suggest_mapping(["Id", "First Name"])

    assert suggestion.find_unique_key(unique_key).header == "First Name"


@pytest.mark.parametrize(
    ("unique_key", "message"),
    [
        ("Mail", "The unique key 'Mail' is not a column of the file. Did you mean 'Email'? Its columns are: 'Email'."),
        ("City", "The unique key 'City' cannot be used: 2 columns have this name; rename all but one."),
    ],
)
def test_a_unique_key_that_no_column_gives_is_refused(unique_key: str, message: str) -> None:
    suggestion = suggest_mapping(["Email", "City", "City"])

    with pytest.raises(InvalidRequest, match=re.escape(message)):
        suggestion.find_unique_key(unique_key)


def test_the_content_type_follows_from_the_target() -> None:
    fields = suggest_mapping(["Email", "Phone", "First name", "City", "tier"]).to_fields()

    assert fields["Email"] == {
        "Source": "_source.Email",
        "Target": "_profile.EmailAddress",
        "ContentType": "EMAIL_ADDRESS",
    }
    assert [field["ContentType"] for field in fields.values()] == [
        "EMAIL_ADDRESS",
        "PHONE_NUMBER",
        "NAME",
        "STRING",
        "STRING",
    ]


@given(
    st.lists(st.text(min_size=1, max_size=80) | st.sampled_from(["Email", "mail", "e mail", "Zip", "{{"]), min_size=1)
)
def test_any_header_gives_a_mapping_that_an_upload_job_takes(headers: list[str]) -> None:
    try:
        suggestion = suggest_mapping(headers)
    except InvalidRequest:
        # Nothing but blank or repeated names.
        assert sum(bool(header.strip()) and headers.count(header) == 1 for header in headers) <= 1
        return
    fields = suggestion.to_fields()

    mapping = read_mapping(fields, suggestion.fields[0].name, strict=False)

    assert len(mapping.fields) == len(suggestion.fields) == len(fields)
    assert all(re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name) for name in fields)
    assert len(suggestion.fields) + len(suggestion.left_out) == len(headers)


# With values


def column(header: str, *values: str) -> SuggestedField:
    return suggest_mapping([header], None, [[value] for value in values]).fields[0]


def test_a_name_is_surest_where_the_values_agree_and_doubtful_where_they_contradict_it() -> None:
    agreeing = column("Email", "ada@example.com", "", "bob@example.com")
    unknown = column("Email", "", "")
    contradicting = column("Email", "Ada", "Bob")

    assert {field.target for field in (agreeing, unknown, contradicting)} == {"EmailAddress"}
    assert agreeing.confidence > unknown.confidence > 0.5 > contradicting.confidence
    assert [field.is_doubtful for field in (agreeing, unknown, contradicting)] == [False, False, True]
    assert contradicting.reason == "name matches, but the values are not email addresses"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Phone", "ada@example.com"),
        ("First name", "ada@example.com"),
        ("Surname", "1985-12-10"),
        ("City", "+49 30 123456"),
        ("Country", "12345"),
        ("Date of birth", "gold"),
        ("Zip", "ada@example.com"),
    ],
)
def test_values_that_a_field_never_has_contradict_the_name(header: str, value: str) -> None:
    assert column(header, value, value).is_doubtful


def test_a_name_that_can_mean_another_thing_gives_way_to_values_that_do_not_fit() -> None:
    models = [["iPhone 12"], ["Pixel 5"], ["iPhone 12"]]

    assert column("Mobile", "iPhone 12", "Pixel 5").target == "Attributes.Mobile"
    assert suggest_mapping(["Mobile"], sample=models, key_header="Mobile").fields[0].target == "MobilePhoneNumber"


@pytest.mark.parametrize(
    ("headers", "row", "reason"),
    [
        (["id", "Name", "Name"], ["C1", "Ada", "Bob"], "column 2 'Name': 2 columns have this name; rename all but one"),
        (["id", ""], ["C1", "Ada"], "column 2 '': it has no name in the header"),
    ],
)
def test_a_file_of_which_only_the_key_could_be_loaded_is_refused(
    headers: list[str], row: list[str], reason: str
) -> None:
    with pytest.raises(InvalidRequest, match=f"^Of the file's columns, only 'id' can be loaded: {reason}"):
        suggest_mapping(headers, sample=[row])

    excluded = suggest_mapping(headers, dict.fromkeys(headers[1:], ""), [row])
    assert [field.header for field in excluded.fields] == ["id"]


def test_a_file_that_has_only_the_key_is_not_refused() -> None:
    assert len(suggest_mapping(["id"], sample=[["C1"]]).fields) == 1
    assert len(suggest_mapping(["id", ""], sample=[["C1", ""]]).fields) == 1


@pytest.mark.parametrize(
    ("header", "value"), [("id,name,email", "{},Ann,a@x.com"), ("id    name    email", "{}     Ann     a@x.com")]
)
def test_whole_rows_in_one_column_are_not_suggested_as_unique_keys(header: str, value: str) -> None:
    rows = [[value.format(number)] for number in range(20, 40)]

    described = describe_whole_rows([header], rows)
    assert described is not None
    assert "Is every line in quotation marks, or is it a fixed-width file?" in described
    assert suggest_mapping([header], sample=rows).unique_key is None
    assert suggest_mapping(["Customer ID"], sample=rows).unique_key is not None


@pytest.mark.parametrize(
    ("header", "values"),
    [
        # A mask; the values of another column; a name with one meaning.
        ("Mobile", ["xxx", "xxx"]),
        ("Mobile", ["***-***-0101", "xxx-xxx-0102"]),
        ("Mobile", ["ada@example.com", "bob@example.com"]),
        ("Phone", ["iPhone 12", "Pixel 5"]),
    ],
)
def test_values_that_are_not_what_the_name_says_are_checked_all_the_same(header: str, values: list[str]) -> None:
    field = column(header, *values)

    assert (field.is_doubtful, field.usual_check) == (True, "PHONE_NUMBER")


@pytest.mark.parametrize(
    ("header", "value"),
    [("Phone", "2125550101"), ("Account", "ada@example.com"), ("Zip", "02134-1234"), ("Street", "12"), ("dob", "1985")],
)
def test_values_that_a_field_may_have_do_not(header: str, value: str) -> None:
    assert column(header, value, value).confidence >= 0.9


def test_a_name_that_says_nothing_goes_where_its_values_clearly_belong() -> None:
    mails, numbers, ids = [
        column("Login", "ada@example.com", "bob@example.com"),
        column("Reach me at", "+49 30 123456", "(212) 555-0101"),
        column("Lead", "2125550101", "2125550102"),
    ]

    assert [field.target for field in (mails, numbers, ids)] == ["EmailAddress", "PhoneNumber", "Attributes.Lead"]
    assert mails.content_type == "EMAIL_ADDRESS"
    assert 0.5 < mails.confidence < 0.8


def test_values_do_not_take_the_field_of_another_column() -> None:
    sample = [["ada@example.com", "a@work.example", "x@y.example"], ["bob@example.com", "b@work.example", "none"]]

    named = suggest_mapping(["Contact", "Other", "Email"], None, sample)
    chosen = suggest_mapping(["Contact", "Other", "Third"], {"Third": "EmailAddress"}, sample)
    first = suggest_mapping(["Contact", "Other", "Third"], None, sample)

    assert [field.target for field in named.fields] == ["Attributes.Contact", "Attributes.Other", "EmailAddress"]
    assert [field.target for field in chosen.fields] == ["Attributes.Contact", "Attributes.Other", "EmailAddress"]
    assert (chosen.fields[2].confidence, chosen.fields[2].reason) == (1.0, "it was chosen")
    assert [field.target for field in first.fields] == ["EmailAddress", "Attributes.Other", "Attributes.Third"]


# The unique key

PEOPLE = [[f"{number:05}", f"u{number}@x.example", f"+49 30 {number + 10_000}", "gold"] for number in range(50)]


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        (["Customer no", "Email", "Phone", "Tier"], "Customer no"),
        (["Row", "Email", "Phone", "Tier"], "Email"),
        (["Row", "Email", "Phone", "Account"], "Email"),
        (["Row", "Login", "Phone", "Tier"], "Login"),
        (["Lead id", "Email", "Phone", "Tier"], "Email"),
    ],
)
def test_the_best_column_that_tells_the_rows_apart_is_the_unique_key(headers: list[str], key: str) -> None:
    suggestion = suggest_mapping(headers, None, PEOPLE)

    assert suggestion.unique_key is not None
    assert suggestion.unique_key.header == key
    assert 0.5 < suggestion.unique_key_confidence < 1


def test_phones_come_after_addresses_and_an_attribute_that_is_named_like_an_id_comes_last() -> None:
    phones = suggest_mapping(["Lead id", "Email", "Phone"], None, [[row[0], "", row[2]] for row in PEOPLE])
    ids = suggest_mapping(["Lead id", "Email", "Tier"], None, [[f"L{row[0]}", "", row[3]] for row in PEOPLE])

    assert phones.unique_key is not None
    assert ids.unique_key is not None
    assert (phones.unique_key.header, ids.unique_key.header) == ("Phone", "Lead id")
    assert phones.unique_key_confidence > ids.unique_key_confidence


@pytest.mark.parametrize(
    "sample",
    [
        [["ada@example.com"], ["ADA@example.com"], ["bob@example.com"]],
        [["ada@example.com"], [""], ["bob@example.com"]],
        [["Ada"], ["Bob"], ["Cy"]],
    ],
    ids=["repeated", "missing", "doubtful"],
)
def test_a_column_that_does_not_tell_the_rows_apart_is_no_unique_key(sample: list[list[str]]) -> None:
    suggestion = suggest_mapping(["Email"], None, sample)

    assert (suggestion.unique_key, suggestion.unique_key_confidence) == (None, 0.0)


def test_more_rows_make_a_unique_key_surer_and_none_leave_it_to_the_name() -> None:
    confidences = [
        suggest_mapping(["Email"], None, [[f"u{number}@x.example"] for number in range(count)]).unique_key_confidence
        for count in (1, 10, 200)
    ]

    assert confidences == sorted(confidences)
    assert 0 < suggest_mapping(["Email"]).unique_key_confidence < confidences[-1]


CELLS = st.text(max_size=20) | st.sampled_from(["ada@example.com", "+49 30 123456", "1985-12-10", "12", "", " "])
NAMES = st.text(min_size=1, max_size=80) | st.sampled_from(["Email", "Login", "Phone", "Id", "Nom", "Zip", "Straße"])


@given(st.lists(NAMES, min_size=1), st.lists(st.lists(CELLS, max_size=6), max_size=6))
def test_any_header_with_any_rows_gives_a_mapping_that_an_upload_job_takes(
    headers: list[str], sample: list[list[str]]
) -> None:
    try:
        suggestion = suggest_mapping(headers, None, sample)
    except InvalidRequest as error:
        if "two lists side by side" not in str(error):
            assert sum(bool(header.strip()) and headers.count(header) == 1 for header in headers) <= 1
        return
    key = suggestion.unique_key or suggestion.fields[0]

    mapping = read_mapping(suggestion.to_fields(), key.name, strict=False)

    assert mapping.unique_key.header == key.header
    assert all(0 <= field.confidence <= 1 for field in suggestion.fields)
    assert 0 <= suggestion.unique_key_confidence <= 1
    assert (suggestion.unique_key is None) == (suggestion.unique_key_confidence == 0)


# The evidence beside a unique key

SHOP = [
    ["1001", "Ada", "Lovelace", "ada@x.example", "+49 30 1234567"],
    ["1002", "Bo", "Diaz", "bo@x.example", "+49 30 1234568"],
    ["1003", "Cy", "Ek", "cy@x.example", "+49 30 1234569"],
    ["1004", "Ada", "Lovelace", "ADA@x.example ", "+49 30 1234560"],
]
SHOP_HEADERS = ["Kunden-Nr.", "Vorname", "Nachname", "E-Mail", "Telefon"]


def test_a_key_that_doubles_a_customer_gives_way_to_the_address_that_shows_it() -> None:
    suggestion = suggest_mapping(SHOP_HEADERS, None, SHOP)

    best, number, *_ = suggestion.weigh_keys()
    assert suggestion.unique_key is not None
    assert suggestion.unique_key.header == best.header == "E-Mail"
    assert best.describe() == (
        "Filled in 4 of 4 rows of the sample; 1 row repeats an earlier value, with the same name."
    )
    assert best.describe_consequence() == (
        "Rows with the same E-Mail become one customer, and later files update this customer. Rows without E-Mail fail."
    )
    assert best.doubts == ()
    assert (number.header, number.doubts[0]) == (
        "Kunden-Nr.",
        "1 row has the same E-Mail and name as an earlier row but a different Kunden-Nr., so one customer would "
        "become two",
    )


def test_a_row_without_a_name_does_not_hide_that_a_key_doubles_its_customer() -> None:
    rows = [*SHOP[:3], ["1004", "", "", "ada@x.example", ""]]

    suggestion = suggest_mapping(SHOP_HEADERS, None, rows)

    assert suggestion.unique_key is not None
    assert suggestion.unique_key.header == "E-Mail"


def test_a_family_that_shares_an_address_is_named_and_leaves_the_number_the_better_key() -> None:
    family = [*SHOP[:3], ["1004", "Bea", "Lovelace", "ada@x.example", "+49 30 1234560"]]

    keys = suggest_mapping(SHOP_HEADERS, None, family).weigh_keys()

    (address,) = [key for key in keys if key.header == "E-Mail"]
    assert keys[0].header == "Kunden-Nr."
    assert keys[0].doubts[0] == (
        "1 row has the same E-Mail as an earlier row but a different Kunden-Nr. and a different name; if they are one "
        "customer, that customer would become two"
    )
    assert address.doubts == (
        "1 row has the same E-Mail as an earlier row but a different name, so different customers may become one",
    )


def test_an_address_that_is_repeated_in_most_rows_is_the_key_if_the_names_agree() -> None:
    orders = [["ada@x.example", "Ada Lovelace"]] * 5 + [["bo@x.example", "Bo Diaz"]] * 5

    agreeing = suggest_mapping(["Email", "Name"], None, orders)
    differing = suggest_mapping(["Email", "Name"], None, [[row[0], f"{row[1]} {n}"] for n, row in enumerate(orders)])

    assert (agreeing.unique_key and agreeing.unique_key.header, differing.unique_key) == ("Email", None)


def test_in_a_list_of_orders_the_customer_is_the_key_and_never_the_order() -> None:
    orders = [[f"C{n * n}", f"O{n * n}{order}", f"u{n}@x.example"] for n in range(6) for order in range(3)]

    suggestion = suggest_mapping(["customer_no", "order_no", "email"], None, orders)

    best, *others = suggestion.weigh_keys()
    assert (best.header, best.doubts, [one.confidence > 0 for one in others]) == ("customer_no", (), [True, False])
    assert best.describe() == (
        "Filled in 18 of 18 rows of the sample; 12 rows repeat an earlier value, with the same email."
    )


def test_keys_are_compared_as_a_load_compares_them() -> None:
    rows = [["+49 30 1234567"], ["030 / 1234567"], ["see 17"], ["030 7654321"]]

    (phone,) = suggest_mapping(["Telefon"], None, rows, "DE").weigh_keys()

    assert (phone.row_count, phone.filled_count, phone.repeated_count) == (4, 3, 1)


def test_a_note_in_place_of_an_address_is_nothing_that_rows_share() -> None:
    rows = [[f"K{n * n}", "none" if n % 2 else f"u{n}@x.example"] for n in range(20)]

    (number, _) = suggest_mapping(["Kundennr", "Email"], None, rows).weigh_keys()

    assert (number.header, number.doubts) == ("Kundennr", ())


@pytest.mark.parametrize(
    ("header", "is_suggested"),
    [
        ("Customer ID", True),
        ("customer_no", True),
        ("Kundennummer", True),
        ("User ID", True),
        ("Contact No.", True),
        ("Numéro de client", True),
        ("Código do cliente", True),
        ("Codice cliente", True),
        ("Klantnummer", True),
        ("Nr klienta", True),
        ("Id", False),
        ("Lead id", False),
        ("Account", False),
        ("No.", False),
        ("Nr", False),
        ("#", False),
        ("Row", False),
        ("Row No", False),
        ("Index", False),
        ("Unnamed: 0", False),
        ("Lfd. Nr.", False),
        ("Lp.", False),
    ],
)
def test_a_column_that_counts_is_the_key_only_if_its_name_says_that_it_numbers_customers(
    header: str, is_suggested: bool
) -> None:
    suggestion = suggest_mapping([header, "Tier"], None, [[str(n), "gold"] for n in range(1, 21)])

    assert (suggestion.unique_key is not None) == is_suggested
    evidence = suggestion.weigh_key(suggestion.fields[0])
    assert evidence is not None
    assert evidence.doubts[-1].startswith("its values count up by one, as row numbers do")


def test_row_numbers_in_another_order_still_count_and_a_row_column_is_never_the_key() -> None:
    shuffled = suggest_mapping(["Id"], None, [[str(n * 7 % 20 + 1)] for n in range(20)])
    scattered = suggest_mapping(["Id"], None, [[str(n * n * 13 + 77)] for n in range(20)])
    row = suggest_mapping(["No."], None, [[f"A{n * n * 13}"] for n in range(20)])

    assert (shuffled.unique_key, row.unique_key) == (None, None)
    assert scattered.unique_key is not None


def test_a_column_that_a_choice_drives_out_of_its_field_is_named() -> None:
    suggestion = suggest_mapping(["Email", "Company", "City"], {"Company": "EmailAddress"})

    assert [field.displaced_by for field in suggestion.fields] == ["Company", None, None]
    assert suggestion.fields[0].reason == ("kept as a custom attribute, because 'Company' was chosen for EmailAddress")


# Several columns of one kind


@pytest.mark.parametrize(
    ("headers", "sample", "winner"),
    [
        (("Email", "E-mail address"), [["", "a@x.example"], ["", "b@x.example"]], "E-mail address"),
        (("Email", "Customer email"), [["", "a@x.example"], ["b@x.example", "b@x.example"]], "Customer email"),
        (("Email", "Email 1"), [["a@x.example", ""], ["b@x.example", "b@x.example"]], "Email 1"),
        (("Email", "Primary email"), [["a@x.example", ""], ["b@x.example", "b@x.example"]], "Primary email"),
        (("Email", "Primary email"), [["a@x.example", ""], ["b@x.example", ""]], "Email"),
        (("Email", "Email 1"), [["a@x.example", ""], ["b@x.example", ""], ["c@x.example", "d@x.example"]], "Email"),
        (("Email", "Mail"), [["Ada", "a@x.example"], ["Bo", "b@x.example"]], "Mail"),
        (("Phone", "billing_phone"), [["", "+1 212-555-0101"], ["", "+1 212-555-0102"]], "billing_phone"),
        (("Phone", "billing_phone"), [["+1 212-555-0101"] * 2] * 2, "Phone"),
        (("Account ID", "Contact ID"), [["A1", "C1"], ["A1", "C2"], ["A1", "C3"]], "Contact ID"),
    ],
)
def test_of_several_columns_of_one_kind_the_primary_or_the_fullest_gets_the_field(
    headers: tuple[str, ...], sample: list[list[str]], winner: str
) -> None:
    fields = suggest_mapping(headers, None, sample).fields

    assert [field.header for field in fields if not field.target.startswith("Attributes.")] == [winner]


def test_an_address_and_a_name_are_not_put_together_from_two_kinds_of_columns() -> None:
    headers = ["Home Street", "Home City", "Business Street", "Business City", "first_name", "billing_first_name"]
    headers += ["last_name", "billing_last_name"]
    sample = [
        ["", "Troy", "1 Elm St", "Albany", "", "Ada", "Lund", "Lund"],
        ["", "", "2 Elm St", "Albany", "", "Bo", "Marsh", "Marsh"],
    ]

    fields = suggest_mapping(headers, None, sample).fields

    assert {field.header: field.target for field in fields if not field.target.startswith("Attributes.")} == {
        "Business Street": "Address.Address1",
        "Business City": "Address.City",
        "billing_first_name": "FirstName",
        "billing_last_name": "LastName",
    }


@pytest.mark.parametrize(
    ("headers", "rows", "target"),
    [
        (["Name", "Vorname"], [["Berg", "Ana"]], "LastName"),
        (["Naam", "Voornaam"], [], "LastName"),
        (["First name", "Name"], [["Ana", "Berg"], ["Ana", "Ana"], ["", "Silva"]], "LastName"),
        # Whole names, a column of last names, and first names of somebody else.
        (["Name", "First name"], [["Ana Berg", "Ana"], ["SILVA, BO", "Bo"]], "Attributes.Name"),
        (["Name", "Vorname", "Nachname"], [["Berg", "Ana", "Berg"]], "Attributes.Name"),
        (["Name", "billing_first_name"], [["Berg", "Ana"]], "Attributes.Name"),
        (["Name", "Email"], [["Berg", "a@a.example"]], "Attributes.Name"),
    ],
)
def test_a_name_next_to_a_first_name_is_the_last_name(headers: list[str], rows: list[list[str]], target: str) -> None:
    suggestion = suggest_mapping(headers, sample=rows)

    assert next(field.target for field in suggestion.fields if field.header in ("Name", "Naam")) == target


def test_a_name_next_to_a_column_that_was_chosen_for_first_names_is_the_last_name() -> None:
    suggestion = suggest_mapping(["Rufzeichen", "Name"], {"Rufzeichen": "FirstName"})

    assert [field.target for field in suggestion.fields] == ["FirstName", "LastName"]


def test_parts_of_one_address_that_are_named_in_two_ways_come_together() -> None:
    assert targets("Home Address", "City", "Zip") == ["Address.Address1", "Address.City", "Address.PostalCode"]


def test_a_header_of_many_words_is_matched_in_little_time() -> None:
    assert targets("primary home billing address " * 30 + "phone")[0].startswith("Attributes.")


@pytest.mark.parametrize(
    ("headers", "chosen", "message"),
    [
        (
            ["name", "", "name"],
            {},
            "The file has no column that can be loaded: column 1 'name': 2 columns have this name; rename all but one; "
            "column 2 '': it has no name in the header; column 3 'name': 2 columns have this name; rename all but one. "
            "Give each column a name of its own in the header.",
        ),
        (["a"], {"a": ""}, "column 1 'a': it is excluded. Load at least one of them."),
    ],
)
def test_a_file_of_which_nothing_can_be_loaded_is_refused_with_the_reason_for_each_column(
    headers: list[str], chosen: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidRequest) as error:
        suggest_mapping(headers, chosen)

    assert message in str(error.value)
