"""The search for customers by the beginnings of words, on every engine."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

import by_hand
from openprofiles.errors import InvalidRequest
from openprofiles.facts.folded_words import has_words, searched_words, words_of_profile
from openprofiles.master_key import MasterKey
from openprofiles.profiles import domains, text_search
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.profiles.text_search import FoundPage, find_by_words
from openprofiles.settings import Settings
from openprofiles.store.connections import Store
from openprofiles.store.profile_words import begin_words
from openprofiles.store.removal import remove_deleted_domain_step
from openprofiles.store.tables import profile_change, profile_words
from openprofiles.worker import profile_words as reader
from openprofiles.worker.feeds import Feeds, FeedWork
from store.made_rows import NOW


@dataclass
class Shop:
    """A domain with a worker that acts when it is asked to."""

    store: Store
    name: str = "shop"
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.domain = domains.create_domain(
            self.store, self.name, default_expiration_days=30, config={}, tags={}, phone_region="US", now=NOW
        )
        work = FeedWork(Settings(data_folder=Path("not-used")), self.store, MasterKey(bytes(32)), lambda: self.now)
        self.worker = Feeds(work, "a")

    def create(self, **values: str) -> str:
        return by_hand.create_profile(self.store, self.name, ProfileChange(values=values), self.now).profile_id

    def update(self, profile_id: str, **values: str) -> None:
        by_hand.update_profile(self.store, self.name, profile_id, ProfileChange(values=values), self.now)

    def delete(self, profile_id: str) -> None:
        by_hand.delete_profile(self.store, self.name, profile_id, self.now)

    def write_words(self) -> None:
        """Let the worker act until nothing is left to do."""
        self.now += timedelta(seconds=2)
        while self.worker.act_next():
            self.now += timedelta(seconds=2)

    def page(self, searched: str = "", **more: Any) -> FoundPage:
        return by_hand.read(self.store, self.name, find_by_words, searched, **{"max_results": 50, **more})

    def find(self, searched: str = "") -> list[str]:
        return [one.profile_id for one in self.page(searched).profiles]

    def words(self) -> list[str]:
        with self.store.read() as connection:
            return list(connection.execute(select(profile_words.c.words).order_by(profile_words.c.pid)).scalars())


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store)


def test_customers_are_found_at_once_and_once_their_words_are_written(shop: Shop) -> None:
    zoe = shop.create(FirstName="Zoë", LastName="Schäfer", EmailAddress="zoe@example.com")
    ada = shop.create(FirstName="Ada", LastName="Schafer", PhoneNumber="(206) 555-0100")
    searches = ("schaefer", "schaf", "zoe scha", "example.com", "206 555", "nobody", "")
    before = [shop.find(one) for one in searches]

    shop.write_words()

    assert before == [[zoe], [ada, zoe], [zoe], [zoe], [ada], [], [ada, zoe]]
    assert before == [
        shop.find(one) for one in ("schaefer", "schaf", "zoe scha", "example.com", "206 555", "nobody", "")
    ]
    assert len(shop.words()) == 2


def test_a_changed_customer_is_found_by_the_new_words_alone(shop: Shop) -> None:
    one = shop.create(LastName="Before")
    shop.write_words()

    shop.update(one, LastName="After")
    at_once = [shop.find("before"), shop.find("after")]
    shop.write_words()

    assert at_once == [shop.find("before"), shop.find("after")] == [[], [one]]


def test_a_deleted_customer_is_not_found_and_the_words_are_removed(shop: Shop) -> None:
    one, other = shop.create(LastName="Ulmann"), shop.create(LastName="Ulrich")
    shop.write_words()

    shop.delete(one)
    at_once = shop.find("ul")
    shop.write_words()

    assert at_once == shop.find("ul") == [other]
    assert [words for words in shop.words() if "ulmann" in words] == []


def test_the_words_of_deleted_customers_leave_the_index_within_the_hour(shop: Shop) -> None:
    names = [f"zzqxulman{number}" for number in range(30)]
    ids = [shop.create(LastName=name) for name in names]
    shop.write_words()
    for one in ids[1:]:
        shop.delete(one)
    shop.write_words()

    shop.now += timedelta(hours=1)
    shop.write_words()

    assert shop.find("zzqx") == [ids[0]]
    with shop.store.read() as connection:
        if connection.dialect.name == "sqlite":
            blocks = connection.exec_driver_sql("select block from profile_words_index_data").scalars().all()
            # A word stands there without what it has in common with the one before.
            assert b"zzqxulman0" in b"".join(blocks)
            assert sum(block.count(b"ulman") for block in blocks) == 1
            assert len(b"".join(blocks)) < 200


def test_a_domain_that_is_deleted_before_its_words_are_looked_at_leaves_none(shop: Shop) -> None:
    one = shop.create(LastName="Ulmann")
    shop.write_words()
    shop.delete(one)
    by_hand.At(shop.now).write(shop.store, shop.domain, domains.delete_domain)

    for _ in range(50):
        with shop.store.write() as connection:
            if not remove_deleted_domain_step(connection, shop.now, 100):
                break

    assert shop.words() == []


def test_a_customer_just_created_is_found_while_an_import_has_written_many(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_search, "_MOST_CHANGED", 3)
    ids = [shop.create(LastName=f"Ulmann{number}") for number in range(5)]

    page, everybody = shop.page("ulmann4"), shop.page()

    assert ([one.profile_id for one in page.profiles], page.is_complete) == ([ids[4]], False)
    assert ([one.profile_id for one in everybody.profiles], everybody.is_complete) == (ids[::-1], True)


def test_an_expired_customer_is_not_found(shop: Shop) -> None:
    shop.create(LastName="Ulmann")
    shop.write_words()

    shop.now += timedelta(days=31)

    by_hand_now = by_hand.At(shop.now)
    page = by_hand_now.read(shop.store, shop.domain, find_by_words, "ulmann", max_results=5)
    assert page.profiles == []


def test_customers_of_another_domain_are_not_found(shop: Shop) -> None:
    other = Shop(shop.store, "other")
    mine, theirs = shop.create(LastName="Ulmann"), other.create(LastName="Ulmann")
    shop.write_words()

    assert (shop.find("ul"), other.find("ul")) == ([mine], [theirs])
    assert (shop.find(), other.find()) == ([mine], [theirs])
    assert shop.find(str(other.domain.domain_id)) == []


def test_pages_have_every_customer_once_the_newest_first(shop: Shop) -> None:
    ids = [shop.create(LastName=f"Ulmann{number}") for number in range(12)]
    shop.write_words()
    ids += [shop.create(LastName=f"Ulmann{number}") for number in range(12, 15)]
    for gone in (ids[3], ids[13]):
        shop.delete(gone)

    found, token = [], None
    while True:
        page = shop.page("ulm", max_results=4, next_token=token)
        found.append([one.profile_id for one in page.profiles])
        token = page.next_token
        if token is None:
            break

    assert [one for some in found for one in some] == [one for one in ids[::-1] if one not in (ids[3], ids[13])]
    assert [len(some) for some in found] == [4, 4, 4, 1]


def test_the_owner_of_a_whole_value_comes_first_and_only_once(shop: Shop) -> None:
    owner = shop.create(EmailAddress="customer1@example.com")
    others = [shop.create(EmailAddress=f"customer1{number}@example.com") for number in range(5)]
    shop.write_words()

    first = shop.page("customer1@example.com", max_results=3)
    second = shop.page("customer1@example.com", max_results=3, next_token=first.next_token)

    assert [one.profile_id for one in first.profiles] == [owner, *others[:2:-1]]
    assert [one.profile_id for one in second.profiles] == others[2::-1]
    assert second.next_token is None


def test_owners_of_a_whole_value_are_listed_once_however_short_the_first_page_is(shop: Shop) -> None:
    ids = [shop.create(AccountNumber="A1", LastName=f"Ulmann{number}") for number in range(4)]

    first = shop.page("a1", max_results=2)
    second = shop.page("a1", max_results=50, next_token=first.next_token)

    assert [one.profile_id for page in (first, second) for one in page.profiles] == ids[::-1]


def test_random_changes_are_found_as_a_reading_of_all_customers_finds_them(shop: Shop) -> None:
    dice = random.Random(23)
    names = ("Schäfer", "Schafer", "Ulmann", "O'Neil", "李雷", "Öz", "Ozan", "von der Au", "")
    searches = ("sch", "schae", "oz", "oez", "李", "von au", "u", "")
    stored: dict[str, dict[str, str]] = {}
    for _ in range(60):
        values = {"FirstName": dice.choice(names), "LastName": dice.choice(names)}
        values = {path: value for path, value in values.items() if value}
        if stored and dice.random() < 0.3:
            chosen = dice.choice(sorted(stored))
            shop.delete(chosen)
            del stored[chosen]
        elif stored and dice.random() < 0.4:
            chosen = dice.choice(sorted(stored))
            shop.update(chosen, LastName=values.get("LastName", "x"))
            stored[chosen]["LastName"] = values.get("LastName", "x")
        else:
            stored[shop.create(**values)] = values
        if dice.random() < 0.2:
            shop.write_words()
        for searched in searches:
            expected = {
                one for one, has in stored.items() if has_words(words_of_profile(has), searched_words(searched))
            }
            assert set(shop.find(searched)) == expected, searched


def test_words_are_written_anew_when_the_log_does_not_reach_back(shop: Shop) -> None:
    gone = shop.create(LastName="Gone")
    shop.write_words()
    kept = shop.create(LastName="Kept")
    shop.delete(gone)
    with shop.store.write() as connection:
        connection.execute(delete(profile_change))

    is_complete = shop.page("kept").is_complete
    shop.write_words()

    assert not is_complete
    assert (shop.find("kept"), shop.page().is_complete) == ([kept], True)
    assert [words.partition(" ")[2] for words in shop.words()] == ["kept"]


def test_a_look_at_all_customers_goes_on_where_it_stopped(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [shop.create(LastName=f"Ulmann{number}") for number in range(7)]
    shop.write_words()
    monkeypatch.setattr(reader, "_PROFILES_AT_ONCE", 2)
    monkeypatch.setattr(reader, "_SECONDS_AT_A_TIME", 0.0)
    with shop.store.write() as connection:
        connection.execute(delete(profile_words))
        begin_words(connection, shop.domain.domain_id)

    assert shop.worker.act_next()
    part = shop.page("ulm")
    shop.write_words()

    assert (len(part.profiles), part.is_complete) == (2, False)
    assert shop.find("ulm") == ids[::-1]


def test_while_very_many_changes_wait_a_page_says_that_it_is_not_complete(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_search, "_MOST_CHANGED", 3)
    for number in range(5):
        shop.create(LastName=f"Ulmann{number}")

    page = shop.page("ulm")
    shop.write_words()

    assert (len(page.profiles), page.is_complete) == (3, False)
    assert (len(shop.find("ulm")), shop.page("ulm").is_complete) == (5, True)


@pytest.mark.parametrize(
    ("searched", "reason"), [("%", "no letter or digit"), ("x" * 1_001, "1,001 characters; at most 1,000")]
)
def test_a_text_that_cannot_be_searched_for_is_refused(shop: Shop, searched: str, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        shop.page(searched)


def test_signs_of_a_query_language_are_not_read_as_such(shop: Shop) -> None:
    one = shop.create(LastName='or"Neil')
    shop.write_words()

    for searched in (
        'or" OR "x',
        "neil*",
        "words:neil",
        "neil) OR (x",
        "NOT neil",
        "'neil':*",
        "neil & !x",
        "a | neil",
    ):
        assert shop.find(searched) in ([], [one]), searched
    assert shop.find('"or neil"') == [one]
