"""Finding, reading, editing and deleting a profile in the browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from acceptance.running import RunningServer, run_command
from browser.conftest import follow, sign_in
from browser.test_sign_in import cookie_of, send
from openprofiles.facts.standard_profile import FIELDS

DOMAIN = "people"
ADA = {
    "FirstName": "Ada",
    "LastName": "Lovelace",
    "EmailAddress": "ada@example.com",
    "PhoneNumber": "(206) 555-0100",
    "AccountNumber": "C-02888",
    "ShippingAddress": {"City": "London", "PostalCode": "W1"},
    "Attributes": {"tier": "gold"},
}
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} &amp; </textarea>",
    "\u202eشركة ٣",
    "x" * 255,
    "two\nlines",
)
# As long as a field may be.
ALL_HOSTILE = "".join(sorted(HOSTILE, key=len))[:255]
HOSTILE_LONG = pytest.mark.long(
    daily="test_hostile_text_in_every_field_is_shown_as_text_and_comes_through_the_form_unchanged[all]"
)
ONE_BOX_LONG = pytest.mark.long(
    daily="tests/unit/test_search_text.py::test_a_text_is_looked_up_as_what_it_looks_like_and_as_an_account_number"
)
READ_ONLY = ("--action", "profile:Get*", "--action", "profile:List*", "--action", "profile:SearchProfiles")


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Any:
    made = server.client()
    made.create_domain(DomainName=DOMAIN, DefaultExpirationDays=100)
    return made


@pytest.fixture
def ada(client: Any) -> Iterator[str]:
    """The id of a profile of a customer, which goes when the test ends."""
    profile_id: str = client.create_profile(DomainName=DOMAIN, **ADA)["ProfileId"]
    yield profile_id
    if stored(client, profile_id) is not None:
        client.delete_profile(DomainName=DOMAIN, ProfileId=profile_id)


def stored(client: Any, profile_id: str) -> dict[str, Any] | None:
    found = client.search_profiles(DomainName=DOMAIN, KeyName="_profileId", Values=[profile_id])["Items"]
    return found[0] if found else None


def place_of(profile_id: str, domain: str = DOMAIN) -> str:
    return f"/console/domains/{domain}/profiles/{profile_id}"


def make_reader(server: RunningServer) -> tuple[str, str]:
    made = run_command(
        "credentials", "create", "--data", server.data_folder, "--name", "reader", *READ_ONLY, "--output", "json"
    )
    keys = json.loads(made.stdout)
    return keys["access_key_id"], keys["secret_access_key"]


@pytest.mark.parametrize(
    "text",
    [
        "lov",
        pytest.param("ADA@exam", marks=ONE_BOX_LONG),
        pytest.param("Ada Lovelace <ada@example.com>", marks=ONE_BOX_LONG),
        pytest.param("206 555", marks=ONE_BOX_LONG),
        pytest.param("c-028", marks=ONE_BOX_LONG),
        pytest.param("Lovelace, Ada", marks=ONE_BOX_LONG),
    ],
)
def test_results_follow_what_is_typed(page: Page, ada: str, text: str) -> None:
    page.goto(f"/console/domains/{DOMAIN}")
    page.get_by_role("link", name="Customers", exact=True).click()
    page.get_by_label("Find a customer").press_sequentially(text)

    expect(page.get_by_role("status")).to_contain_text("1 customer found for")
    expect(page.get_by_label("Find a customer")).to_have_value(text)
    row = page.get_by_role("row").nth(1)
    for shown in ("Ada Lovelace", "ada@example.com", "(206) 555-0100", "C-02888", ada):
        expect(row).to_contain_text(shown)
    page.reload()
    page.get_by_role("link", name="Ada Lovelace").click()
    expect(page.get_by_role("heading", name="Ada Lovelace", level=1)).to_be_visible()


def test_a_profile_is_found_by_its_id(page: Page, ada: str) -> None:
    page.goto(f"/console/domains/{DOMAIN}/profiles?q={ada.upper()}")

    follow(page.get_by_role("link", name=ada))

    assert page.url.endswith(place_of(ada))


def test_the_newest_customers_are_listed_and_a_vain_search_says_what_to_try(
    page: Page, client: Any, ada: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    zoe = client.create_profile(DomainName=DOMAIN, FirstName="Zoë", LastName="Schäfer")["ProfileId"]
    page.goto(f"/console/domains/{DOMAIN}/profiles")
    expect(page.get_by_role("status")).to_contain_text("the newest first")
    expect(page.get_by_role("row").nth(1)).to_contain_text("Zoë Schäfer")
    expect(page.get_by_role("row").filter(has_text="Ada Lovelace")).to_have_count(1)
    assert find_barriers(page) == []

    page.get_by_label("Find a customer").fill("schaef")
    expect(page.get_by_role("status")).to_contain_text("1 customer found")
    expect(page.get_by_role("link", name="Zoë Schäfer")).to_be_visible()
    page.get_by_label("Find a customer").fill("<script>alert(1)</script>")
    page.get_by_role("button", name="Search").click()

    expect(page.get_by_role("status")).to_contain_text("No customers found")
    expect(page.get_by_role("status")).to_contain_text("<script>alert(1)</script>")
    expect(page.get_by_text("Check the spelling")).to_be_visible()
    assert find_barriers(page) == []
    client.delete_profile(DomainName=DOMAIN, ProfileId=zoe)


def test_a_long_list_of_results_has_pages(page: Page, client: Any) -> None:
    for number in range(52):
        client.create_profile(DomainName=DOMAIN, AccountNumber="many", FirstName=f"Person {number}")
    page.goto(f"/console/domains/{DOMAIN}/profiles?q=many")
    expect(page.get_by_role("row")).to_have_count(1 + 50)

    page.get_by_role("link", name="More customers").click()

    expect(page.get_by_role("row")).to_have_count(1 + 2)
    expect(page.get_by_role("link", name="More customers")).to_have_count(0)


def test_a_profile_is_found_by_the_unique_key_of_the_domain_s_files(
    page: Page, server: RunningServer, tmp_path: Path, find_barriers: Callable[[Page], list[str]]
) -> None:
    # The name of the other one begins like it.
    file = "Member,First name\nM7,Grace\nX1,M7th\n"
    load(server, tmp_path, "loaded", file, "Member=Attributes.Member", "Member")
    page.goto("/console/domains/loaded/profiles")
    expect(page.get_by_text("or the custom attribute “Member”, exactly as it is stored")).to_be_visible()
    page.get_by_label("Find a customer").fill("M7")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("2 customers found")
    expect(page.get_by_role("row").nth(1)).to_contain_text("Grace")

    page.get_by_role("link", name="Grace").click()

    expect(page.get_by_role("heading", name="Grace", level=1)).to_be_visible()
    expect(page.get_by_text("edited by hand")).to_have_count(0)
    job = server.client().list_upload_jobs(DomainName="loaded")["Items"][0]
    link = page.get_by_role("definition").get_by_role("link", name=job["DisplayName"])
    assert link.get_attribute("href") == f"/console/domains/loaded/jobs/{job['JobId']}"
    assert find_barriers(page) == []


def load(server: RunningServer, folder: Path, domain: str, content: str, mapping: str, unique_key: str) -> None:
    (folder / "file.csv").write_text(content)
    keys = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), server.admin(), strict=True))
    arguments = ("--domain", domain, "--unique-key", unique_key, "--map", mapping, "--endpoint-url", server.url)
    made = run_command("import", folder / "file.csv", *arguments, **keys, AWS_REGION="us-east-1")
    assert made.returncode == 0, made.stderr


def test_the_page_of_a_profile_shows_its_values_in_groups_and_which_were_set_by_hand(
    page: Page, ada: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto(place_of(ada))

    for group, label, text in (
        ("Names", "Last name", "Lovelace"),
        ("Contact", "Email", "ada@example.com"),
        ("Shipping address", "Postal code", "W1"),
        ("Custom attributes", "tier", "gold"),
        ("Other", "Account number", "C-02888"),
    ):
        region = page.get_by_role("region", name=group, exact=True)
        expect(region.locator("div", has_text=label).filter(has_text=text)).to_contain_text("edited by hand")
    expect(page.get_by_role("region", name="Billing address")).to_have_count(0)
    expect(page.get_by_text("Last import")).to_have_count(0)
    assert find_barriers(page) == []


def test_the_page_of_a_profile_lists_what_changed_it_in_pages(
    page: Page, server: RunningServer, tmp_path: Path, find_barriers: Callable[[Page], list[str]]
) -> None:
    rows = "Email,First name,City,Tier\nh@example.com,Hedy,Vienna,silver\n"
    load(server, tmp_path, "history", rows, "Tier=Attributes.tier", "Email")
    client = server.client()
    find = {"DomainName": "history", "KeyName": "_email", "Values": ["h@example.com"]}
    profile_id = client.search_profiles(**find)["Items"][0]["ProfileId"]
    for number in range(10):
        client.update_profile(DomainName="history", ProfileId=profile_id, LastName=f"Lamarr {number}")

    page.goto(place_of(profile_id, "history"))

    changes = page.get_by_role("region", name="History").locator("tbody tr")
    expect(changes).to_have_count(10)
    expect(changes.first).to_contain_text("updated")
    expect(changes.first).to_contain_text("administrator")
    assert find_barriers(page) == []
    follow(page.get_by_role("link", name="Older changes"))
    expect(changes).to_have_count(1)
    expect(changes.first).to_contain_text("created")
    job = client.list_upload_jobs(DomainName="history")["Items"][0]
    link = changes.get_by_role("link", name="import")
    assert link.get_attribute("href") == f"/console/domains/history/jobs/{job['JobId']}"
    page.set_viewport_size({"width": 360, "height": 800})
    require_width(page)


def test_only_what_is_changed_in_the_form_is_written(
    page: Page, server: RunningServer, tmp_path: Path, find_barriers: Callable[[Page], list[str]]
) -> None:
    rows = "Email,First name,City,Tier\ng@example.com,Grace,Arlington,silver\n"
    load(server, tmp_path, "edited", rows, "Tier=Attributes.tier", "Email")
    client = server.client()
    find = {"DomainName": "edited", "KeyName": "_email", "Values": ["g@example.com"]}
    page.goto(place_of(client.search_profiles(**find)["Items"][0]["ProfileId"], "edited"))
    follow(page.get_by_role("link", name="Edit", exact=True))
    assert find_barriers(page) == []

    page.get_by_label("Last name").fill("  Hopper ")
    page.get_by_role("group", name="Home address", exact=True).get_by_label("City").fill("")
    page.get_by_role("group", name="Billing address").locator("summary").click()
    page.get_by_role("group", name="Billing address").get_by_label("City").fill("New York")
    page.get_by_label("tier").fill("gold")
    page.get_by_role("button", name="Add attribute").click()
    new = page.get_by_role("group", name="New attribute 3")
    expect(new.get_by_label("Name")).to_be_focused()
    new.get_by_label("Name").fill("rank")
    new.get_by_label("Value").fill("rear admiral")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("status")).to_have_text("Profile saved.")
    profile = client.search_profiles(**find)["Items"][0]
    assert profile["LastName"] == "Hopper"
    assert "Address" not in profile
    assert profile["BillingAddress"] == {"City": "New York"}
    assert profile["Attributes"] == {"tier": "gold", "rank": "rear admiral"}
    names = page.get_by_role("region", name="Names")
    expect(names.locator("div", has_text="Hopper")).to_contain_text("edited by hand")
    expect(names.locator("div", has_text="Grace")).not_to_contain_text("edited by hand")
    assert find_barriers(page) == []


def test_a_form_that_was_not_changed_writes_nothing(page: Page, client: Any, ada: str) -> None:
    client.update_profile(
        DomainName=DOMAIN, ProfileId=ada, AdditionalInformation="\n first\r\nsecond\n", LastName=" L "
    )
    before = stored(client, ada)
    page.goto(place_of(ada) + "/edit")

    page.get_by_role("button", name="Save").click()

    page.wait_for_url("**" + place_of(ada))
    assert stored(client, ada) == before


def test_what_the_form_refuses_is_told_at_its_field_and_kept(
    page: Page, client: Any, ada: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto(place_of(ada) + "/edit")
    page.get_by_label("First name").fill("y" * 256)
    shipping = page.get_by_role("group", name="Shipping address")
    shipping.get_by_label("City").fill("z" * 300)
    page.get_by_role("group", name="New attribute 1").get_by_label("Value").fill("nameless")
    page.get_by_role("group", name="New attribute 2").get_by_label("Name").fill("tier")
    page.get_by_role("group", name="New attribute 2").get_by_label("Value").fill("twice")
    page.get_by_role("button", name="Save").click()

    alert = page.get_by_role("alert")
    expect(alert).to_be_focused()
    expect(alert).to_contain_text("First name: This is too long: 256 characters (limit: 255).")
    expect(alert).to_contain_text("City (shipping address): This is too long: 300 characters (limit: 255).")
    expect(alert).to_contain_text("This attribute has a value but no name.")
    expect(alert).to_contain_text("Another attribute has this name.")
    expect(page.get_by_label("First name")).to_have_value("y" * 256)
    expect(page.get_by_role("group", name="New attribute 1").get_by_label("Value")).to_have_value("nameless")
    assert find_barriers(page) == []
    page.get_by_role("link", name="First name").click()
    expect(page.get_by_label("First name")).to_be_focused()
    assert stored(client, ada) == {"ProfileId": ada, "FoundByItems": [{"KeyName": "_profileId", "Values": [ada]}]} | ADA

    page.get_by_label("First name").fill("Augusta")
    shipping.get_by_label("City").fill("Ockham")
    page.get_by_role("group", name="New attribute 1").get_by_label("Name").fill("named")
    page.get_by_role("group", name="New attribute 2").get_by_label("Name").fill("")
    page.get_by_role("group", name="New attribute 2").get_by_label("Value").fill("")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", name="Augusta Lovelace")).to_be_visible()
    assert (stored(client, ada) or {})["Attributes"] == {"tier": "gold", "named": "nameless"}


def test_a_change_by_somebody_else_is_told_and_nothing_typed_is_lost(
    page: Page, client: Any, ada: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto(place_of(ada) + "/edit")
    page.get_by_label("First name").fill("Augusta")
    page.get_by_label("Account number").fill("mine")
    theirs = {"AccountNumber": "theirs", "LastName": "King", "Attributes": {"tier": "", "new": "one"}}
    client.update_profile(DomainName=DOMAIN, ProfileId=ada, **theirs)
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("alert")).to_contain_text("someone else changed this profile")
    expect(page.get_by_label("First name")).to_have_value("Augusta")
    expect(page.get_by_label("Account number")).to_have_value("mine")
    expect(page.get_by_text("Someone else changed this to: theirs")).to_be_visible()
    expect(page.get_by_label("Last name")).to_have_value("King")
    expect(page.get_by_label("tier")).to_have_count(0)
    expect(page.get_by_label("new", exact=True)).to_have_value("one")
    assert find_barriers(page) == []
    assert (stored(client, ada) or {})["FirstName"] == "Ada"

    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", name="Augusta King")).to_be_visible()
    profile = stored(client, ada) or {}
    assert (profile["AccountNumber"], profile["Attributes"]) == ("mine", {"new": "one"})


def test_a_profile_is_deleted_after_a_question(
    page: Page, client: Any, ada: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto(place_of(ada))
    page.get_by_role("button", name="Delete", exact=True).press("Enter")
    dialog = page.get_by_role("dialog", name="Delete this profile?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    assert find_barriers(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_focused()

    page.get_by_role("button", name="Delete", exact=True).click()
    dialog.get_by_role("button", name="Delete profile").click()

    expect(page.get_by_role("status")).to_have_text("Profile deleted.")
    assert stored(client, ada) is None
    page.goto(place_of(ada))
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ALL_HOSTILE, id="all"),
        *(pytest.param(text, id=str(number), marks=HOSTILE_LONG) for number, text in enumerate(HOSTILE)),
    ],
)
def test_hostile_text_in_every_field_is_shown_as_text_and_comes_through_the_form_unchanged(
    page: Page, client: Any, text: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    request: dict[str, Any] = {"DomainName": DOMAIN, "Attributes": {text: text}}
    for field in FIELDS:
        member, _, inner = field.path.partition(".")
        value = "PROFILE" if member == "ProfileType" else text
        if inner:
            request.setdefault(member, {})[inner] = value
        else:
            request[member] = value
    profile_id = client.create_profile(**request)["ProfileId"]
    before = stored(client, profile_id) or {}
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.set_viewport_size({"width": 360, "height": 800})

    page.goto(f"/console/domains/{DOMAIN}/profiles?{urlencode({'q': text})}")
    expect(page.get_by_role("status")).to_contain_text("1 customer found")
    require_width(page)
    follow(page.get_by_role("link", name=profile_id))
    values = page.locator(".value").all_text_contents()
    assert values.count(text) == len(FIELDS) - 1 + 1
    require_width(page)
    assert find_barriers(page) == []
    follow(page.get_by_role("link", name="Edit", exact=True))
    require_width(page)
    assert find_barriers(page) == []
    page.get_by_label("First name").fill("Changed")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Profile saved.")

    assert stored(client, profile_id) == before | {"FirstName": "Changed"}
    assert dialogs == []
    client.delete_profile(DomainName=DOMAIN, ProfileId=profile_id)


def require_width(page: Page) -> None:
    """Nothing stands out of a screen of 360 pixels."""
    page.wait_for_load_state()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_who_may_only_read_sees_no_button_and_is_refused_when_forging(
    visitor: Page, server: RunningServer, client: Any, ada: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    keys = make_reader(server)
    sign_in(visitor, *keys)
    visitor.goto(place_of(ada))
    expect(visitor.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    for name in ("Edit", "Delete"):
        expect(visitor.get_by_text(name, exact=True)).to_have_count(0)
    assert find_barriers(visitor) == []

    token = visitor.locator("meta[name=csrf-token]").get_attribute("content") or ""
    cookie = "; ".join(f"{one['name']}={one['value']}" for one in visitor.context.cookies(server.url + "/console"))
    form = urlencode({"csrf_token": token, "revision": "1", "was.FirstName": "Ada", "value.FirstName": "Forged"})
    refused = [
        send(server, "GET", place_of(ada) + "/edit", Cookie=cookie),
        send(server, "POST", place_of(ada) + "/edit", form, Cookie=cookie),
        send(server, "POST", place_of(ada) + "/delete", form, Cookie=cookie),
    ]

    assert [status for status, _, _ in refused] == [403] * 3
    assert all("Ask your administrator for an access key" in body for _, _, body in refused)
    assert (stored(client, ada) or {})["FirstName"] == "Ada"


def test_who_is_held_to_another_domain_finds_nothing_here(server: RunningServer, client: Any, ada: str) -> None:
    made = run_command(
        "credentials",
        "create",
        "--data",
        server.data_folder,
        "--name",
        "elsewhere",
        "--domain",
        "others",
        "--output",
        "json",
    )
    keys = json.loads(made.stdout)
    cookie = cookie_of(server, keys["access_key_id"], keys["secret_access_key"])

    for place in (f"/console/domains/{DOMAIN}/profiles?q=Ada", place_of(ada)):
        assert send(server, "GET", place, Cookie=cookie)[0] == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("?q=a%00b", 400),
        ("?q=" + "a" * 1001, 400),
        ("?q=Ada&next-token=forged", 400),
        ("?q=%ff%fe", 200),
        ("/none", 404),
        ("/" + "0" * 32, 404),
        ("/%00", 400),
        ("/" + "0" * 32 + "/edit", 404),
    ],
)
def test_what_no_browser_sends_is_told_and_never_a_fault(
    server: RunningServer, client: Any, path: str, status: int
) -> None:
    cookie = cookie_of(server, *server.admin())

    assert send(server, "GET", f"/console/domains/{DOMAIN}/profiles{path}", Cookie=cookie)[0] == status


def test_a_form_without_its_revision_or_with_other_fields_changes_nothing(
    page: Page, server: RunningServer, client: Any, ada: str
) -> None:
    page.goto(place_of(ada))
    token = page.locator("meta[name=csrf-token]").get_attribute("content") or ""
    cookie = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies(server.url + "/console"))
    before = stored(client, ada)

    statuses = [
        send(server, "POST", place_of(ada) + "/edit", urlencode({"csrf_token": token} | more), Cookie=cookie)[0]
        for more in (
            {"value.FirstName": "x"},
            {"revision": "-1", "value.FirstName": "x"},
            {"revision": "9" * 30, "value.FirstName": "x"},
            {"revision": "1", "value.FirstName": "a\0b"},
            {"revision": "1", "value.ProfileType": "OTHER"},
            {"revision": "1", "value.Nothing": "x", "value.ProfileId": "x"},
            {"revision": "1", "attribute.1.value": "x"},
            {"revision": "1", "attribute.1.value": "x", "attribute.1.name": "y" * 256},
            {"revision": "7", "was.FirstName": "Ada", "value.FirstName": "x"},
        )
    ]

    assert statuses == [400, 400, 400, 400, 400, 303, 400, 400, 409]
    assert stored(client, ada) == before
