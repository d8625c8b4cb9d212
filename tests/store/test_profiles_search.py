"""Finding profiles by their keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert

import budgets
import by_hand
from openprofiles.clock import from_milliseconds
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.keys import Key, SearchKey
from openprofiles.facts.records import Profile
from openprofiles.profiles import domains, search
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.profiles.search import SearchPage
from openprofiles.store import profile_keys, tables
from openprofiles.store.connections import Store

NOW = from_milliseconds(1_780_000_000_123)
DAY = timedelta(days=1)


def make_domain(store: Store, name: str = "shop") -> None:
    domains.create_domain(store, name, default_expiration_days=30, config={}, tags={}, phone_region="US", now=NOW)


def make_profile(store: Store, domain: str = "shop", **values: str) -> Profile:
    return by_hand.create_profile(store, domain, ProfileChange(values=values), NOW)


def find(store: Store, *keys: tuple[str, Sequence[str]], **given: Any) -> SearchPage:
    search_keys = [SearchKey(name, tuple(values)) for name, values in keys]
    return by_hand.read(store, "shop", search.search_profiles, search_keys, **{"max_results": 20, **given})


def found_ids(page: SearchPage) -> list[str]:
    return [one.profile.profile_id for one in page.found]


def test_a_profile_is_found_by_every_standard_key_in_any_spelling(store: Store) -> None:
    make_domain(store)
    make_domain(store, "other")
    ada = make_profile(
        store,
        AccountNumber="A-1",
        PersonalEmailAddress="Ada@Example.com",
        HomePhoneNumber="(206) 555-0100",
        FirstName="Ada",
        MiddleName="King",
        LastName="Lovelace",
    )
    make_profile(
        store, AccountNumber="A-2", EmailAddress="adb@example.com", PhoneNumber="2065550101", LastName="Ada King"
    )
    make_profile(store, "other", AccountNumber="A-1", EmailAddress="ada@example.com")

    for name, text in [
        ("_account", "a-1"),
        ("_email", " ADA@example.com"),
        ("_phone", "+12065550100"),
        ("_fullName", "ada  king lovelace"),
        ("_profileId", ada.profile_id),
    ]:
        page = find(store, (name, [text]))
        assert found_ids(page) == [ada.profile_id], name
        assert page.found[0].profile == ada
        assert page.found[0].found_by == (SearchKey(name, (text,)),)
        assert page.next_token is None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("_email", ["x@example.com"]),
        ("unknown", ["ada@example.com"]),
        ("_email", []),
        ("_phone", ["none"]),
        ("_email", [" "]),
    ],
)
def test_a_key_that_nothing_holds_finds_nothing(store: Store, name: str, values: list[str]) -> None:
    make_domain(store)
    make_profile(store, EmailAddress="ada@example.com")

    assert find(store, (name, values)) == SearchPage((), None)
    assert find(store, (name, values), ("_email", ["ada@example.com"]), match_all_keys=True) == SearchPage((), None)


def test_an_id_of_another_domain_or_of_another_profile_in_the_row_finds_nothing(store: Store) -> None:
    make_domain(store)
    make_domain(store, "other")
    here = make_profile(store, FirstName="Ada")
    elsewhere = make_profile(store, "other", FirstName="Ada")
    same_row_number = ("0" if here.profile_id[0] != "0" else "1") + here.profile_id[1:]

    page = find(store, ("_profileId", [elsewhere.profile_id, same_row_number, "7", here.profile_id]))

    assert found_ids(page) == [here.profile_id]
    assert page.found[0].found_by == (SearchKey("_profileId", (here.profile_id,)),)


def test_a_profile_that_its_id_finds_is_on_one_page_only(store: Store) -> None:
    make_domain(store)
    ids = [make_profile(store, LastName="King").profile_id for _ in range(3)]

    pages = all_pages(store, ("_profileId", ids), ("_fullName", ["King"]), max_results=1)

    assert pages == [[1], [2], [3]]


def test_or_says_which_values_found_each_profile_and_and_says_all(store: Store) -> None:
    make_domain(store)
    both = make_profile(
        store, EmailAddress="ada@example.com", BusinessEmailAddress="work@example.com", PhoneNumber="2065550100"
    )
    mail = make_profile(store, EmailAddress="ada@example.com")
    phone = make_profile(store, PhoneNumber="2065550100")
    make_profile(store, EmailAddress="eve@example.com")
    keys = (
        ("_email", ["Ada@example.com", "work@example.com", "x@example.com"]),
        ("_phone", ["206-555-0100", "12065550100"]),
    )

    any_page = find(store, *keys)
    all_page = find(store, *keys, match_all_keys=True)

    mail_key, phone_key = keys[0][0], SearchKey("_phone", ("206-555-0100", "12065550100"))
    assert {one.profile.profile_id: one.found_by for one in any_page.found} == {
        both.profile_id: (SearchKey(mail_key, ("Ada@example.com", "work@example.com")), phone_key),
        mail.profile_id: (SearchKey(mail_key, ("Ada@example.com",)),),
        phone.profile_id: (phone_key,),
    }
    assert {one.profile.profile_id: one.found_by for one in all_page.found} == {
        both.profile_id: (SearchKey(mail_key, tuple(keys[0][1])), phone_key)
    }


def test_an_expired_profile_is_not_found(store: Store) -> None:
    make_domain(store)
    old = by_hand.create_profile(store, "shop", ProfileChange(values={"LastName": "King"}), NOW - 30 * DAY)
    new = make_profile(store, LastName="King")

    page = find(store, ("_fullName", ["king"]), ("_profileId", [old.profile_id]))

    assert found_ids(page) == [new.profile_id]


def test_a_domain_that_does_not_exist_is_named(store: Store) -> None:
    with pytest.raises(NotFound, match="Domain shop does not exist"):
        find(store, ("_email", ["a"]))


def test_too_many_values_and_a_foreign_token_are_refused(store: Store) -> None:
    make_domain(store)

    with pytest.raises(InvalidRequest, match="1001 values"):
        find(store, ("_email", ["a@b.c"] * 1000), ("_phone", ["1"]))
    with pytest.raises(InvalidRequest, match="NextToken"):
        find(store, ("_email", ["a@b.c"]), next_token="WzEsIlgiXQ")


def fill_index(store: Store, pids_by_key: Mapping[Key, Collection[int]], expired: Collection[int] = ()) -> None:
    """Nothing but one profile for each row number, without any field, under keys of our own choosing."""
    domain_id = by_hand.get_domain(store, "shop").domain_id
    profile_rows = [
        {"pid": pid, "domain_id": domain_id, "profile_id": f"{pid:032x}", "created_at": NOW, "updated_at": NOW}
        | {"expires_at": NOW if pid in expired else NOW + DAY}
        for pid in sorted({pid for pids in pids_by_key.values() for pid in pids})
    ]
    index_rows = [
        {"domain_id": domain_id, "name": key.name, "value": key.value, "pid": pid}
        for key, pids in pids_by_key.items()
        for pid in pids
    ]
    with store.write() as connection:
        connection.execute(delete(tables.profile))
        connection.execute(delete(tables.profile_key))
        if index_rows:
            connection.execute(insert(tables.profile), profile_rows)
            connection.execute(insert(tables.profile_key), index_rows)


def all_pages(store: Store, *keys: tuple[str, Sequence[str]], **given: Any) -> list[list[int]]:
    pages: list[list[int]] = []
    token = None
    while not pages or token is not None:
        page = find(store, *keys, next_token=token, **given)
        pages.append([one.profile.pid for one in page.found])
        token = page.next_token
    return pages


def count_entries_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Notes how many entries each read of the index gives."""
    counts: list[int] = []
    original = profile_keys.pids_with_key

    def counting(*arguments: Any) -> list[int]:
        pids = original(*arguments)
        counts.append(len(pids))
        return pids

    monkeypatch.setattr(profile_keys, "pids_with_key", counting)
    return counts


@pytest.mark.daily_on("sqlite")
def test_a_common_value_and_a_rare_one_together_cost_little(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    make_domain(store)
    fill_index(store, {Key("_fullName", "king"): range(1, 30_001), Key("crm", "7"): range(29_000, 29_001)})
    counts = count_entries_read(monkeypatch)

    pages = all_pages(store, ("_fullName", ["King"]), ("crm", ["7"]), match_all_keys=True)

    assert pages == [[29_000]]
    assert sum(counts) < 5_000


@pytest.mark.daily_on("sqlite")
def test_a_page_reads_a_bounded_part_of_the_index_and_may_be_empty(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_domain(store)
    even, odd = range(2, 50_000, 2), range(1, 50_001, 2)
    fill_index(
        store,
        {
            Key("a", "1"): even,
            Key("b", "1"): odd,
            Key("b", "2"): range(50_000, 50_001),
            Key("a", "2"): range(50_000, 50_001),
        },
    )
    counts = count_entries_read(monkeypatch)

    first = find(store, ("a", ["1", "2"]), ("b", ["1", "2"]), match_all_keys=True)
    first_page_count = sum(counts)
    pages = all_pages(store, ("a", ["1", "2"]), ("b", ["1", "2"]), match_all_keys=True)

    assert first.found == ()
    assert first.next_token is not None
    assert first_page_count <= 2 * search.MAX_ENTRIES_PER_PAGE
    assert [pid for page in pages for pid in page] == [50_000]


def test_a_page_of_one_value_reads_no_more_than_it_shows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    make_domain(store)
    fill_index(store, {Key("_fullName", "king"): range(1, 1_001)})
    counts = count_entries_read(monkeypatch)

    page = find(store, ("_fullName", ["king"]), max_results=5)

    assert [one.profile.pid for one in page.found] == [1, 2, 3, 4, 5]
    assert sum(counts) == 6


@contextmanager
def small_windows() -> Iterator[None]:
    """Windows and budgets so small that every search needs many of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_MAX_WINDOW", 3)
        patch.setattr(search, "MAX_ENTRIES_PER_PAGE", 12)
        yield


NAMES = ("a", "b", "c")
entries = st.dictionaries(
    st.builds(Key, st.sampled_from(NAMES), st.sampled_from("12")),
    st.frozensets(st.integers(1, 40), max_size=40),
    max_size=6,
)
requests = st.lists(
    st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from("123"), max_size=3)), min_size=1, max_size=5
)


def test_all_pages_together_are_the_whole_answer(store: Store) -> None:
    make_domain(store)

    @budgets.QUERIES
    @given(
        entries=entries,
        expired=st.frozensets(st.integers(1, 40)),
        request=requests,
        match_all=st.booleans(),
        max_results=st.integers(1, 10),
    )
    def check(
        entries: dict[Key, frozenset[int]],
        expired: frozenset[int],
        request: list[tuple[str, list[str]]],
        match_all: bool,
        max_results: int,
    ) -> None:
        fill_index(store, entries, expired)

        with small_windows():
            pages = all_pages(store, *request, match_all_keys=match_all, max_results=max_results)
            some = find(store, *request, match_all_keys=match_all, max_results=100)

        matched = [
            set[int]().union(*(entries.get(Key(name, value), frozenset()) for value in values)) - expired
            for name, values in request
        ]
        expected = set.intersection(*matched) if match_all else set.union(*matched)
        assert [pid for page in pages for pid in page] == sorted(expected)
        assert all(len(page) <= max_results for page in pages)
        for one in some.found:
            found_by = [
                SearchKey(
                    name, tuple(v for v in values if match_all or one.profile.pid in entries.get(Key(name, v), ()))
                )
                for name, values in request
            ]
            assert one.found_by == tuple(key for key in found_by if key.values)

    check()
