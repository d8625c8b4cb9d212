"""Definitions: what a domain keeps by name, of any kind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

import by_hand
from openprofiles.definitions import definitions, layouts
from openprofiles.definitions.definitions import DefinitionKind
from openprofiles.definitions.layouts import LAYOUT
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.profiles import domains
from openprofiles.store import definitions as rows
from openprofiles.store import tables
from openprofiles.store.connections import Connection, Store
from openprofiles.store.definitions import Definition
from openprofiles.store.removal import remove_deleted_definitions_step, remove_deleted_domain_step
from store.made_rows import NOW, make_domain

LATER = NOW + timedelta(days=1)
MEMBERS = {
    "Description": "For agents",
    "DisplayName": "Agents",
    "LayoutType": "PROFILE_EXPLORER",
    "IsDefault": True,
    "Layout": "{}",
}
# All that a kind needs: these lines, and one in definition_kinds if it has an ARN.
TOY = DefinitionKind(name="toy", noun="toy", arn_part="toys")


def create(store: Store, name: str = "agents", **members: Any) -> Definition:
    return by_hand.write(store, "shop", layouts.create_layout, name, MEMBERS | members, {"team": "a"}).definition


def get(store: Store, name: str = "agents") -> tuple[Definition, dict[str, Any]]:
    found = by_hand.read(store, "shop", definitions.get_definition, LAYOUT, name)
    return found.definition, dict(found.body)


def count(store: Store, table: Any) -> int:
    with store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_a_definition_is_created_read_updated_listed_and_deleted(store: Store) -> None:
    make_domain(store, "shop")

    made = create(store)
    changed = by_hand.At(LATER).write(
        store, "shop", layouts.update_layout, "agents", {"Layout": "[1]", "DisplayName": "All"}
    )
    unchanged = by_hand.At(LATER).write(store, "shop", layouts.update_layout, "agents", {"Description": "New"})

    assert (made.version, made.tags, made.created_at, made.updated_at) == (1, {"team": "a"}, NOW, NOW)
    assert (changed.definition.version, changed.body, changed.definition.updated_at) == (2, {"Layout": "[1]"}, LATER)
    assert (unchanged.definition.version, unchanged.body) == (3, {"Layout": "[1]"})
    found, body = get(store)
    assert (found, body) == (unchanged.definition, {"Layout": "[1]"})
    assert found.summary == {
        "Description": "New", "DisplayName": "All", "LayoutType": "PROFILE_EXPLORER", "IsDefault": True
    }  # fmt: skip
    # The bodies before it are gone: nothing refers to them.
    assert count(store, tables.definition_body) == 1

    by_hand.At(LATER).write(store, "shop", definitions.delete_definition, LAYOUT, "agents")

    with pytest.raises(NotFound, match="Layout agents does not exist in domain shop"):
        get(store)
    with pytest.raises(NotFound, match="Layout agents does not exist in domain shop"):
        by_hand.At(LATER).write(store, "shop", layouts.update_layout, "agents", {"Layout": "{}"})
    with pytest.raises(NotFound):
        by_hand.At(LATER).write(store, "shop", definitions.delete_definition, LAYOUT, "agents")


def test_a_deleted_name_can_be_used_again_at_once_and_its_number_never(store: Store) -> None:
    make_domain(store, "shop")
    first = create(store)
    with pytest.raises(InvalidRequest, match="Layout agents already exists"):
        create(store)
    by_hand.At(LATER).write(store, "shop", definitions.delete_definition, LAYOUT, "agents")

    second = create(store, Layout="[]")
    with store.write() as connection:
        assert remove_deleted_definitions_step(connection, LATER, 100) == 1
        assert remove_deleted_definitions_step(connection, LATER, 100) == 0
    by_hand.At(LATER).write(store, "shop", definitions.delete_definition, LAYOUT, "agents")
    with store.write() as connection:
        assert remove_deleted_definitions_step(connection, LATER, 100) == 1

    third = create(store)

    assert len({first.definition_id, second.definition_id, third.definition_id}) == 3
    assert (count(store, tables.definition), count(store, tables.definition_body)) == (1, 1)


def test_definitions_of_another_kind_or_domain_are_others(store: Store) -> None:
    make_domain(store, "shop")
    make_domain(store, "other")
    create(store)

    by_hand.write(store, "shop", definitions.create_definition, TOY, "agents", body={"is": "a toy"})
    with pytest.raises(NotFound, match="Layout agents does not exist in domain other"):
        by_hand.read(store, "other", definitions.get_definition, LAYOUT, "agents")
    by_hand.At(LATER).write(store, "shop", definitions.delete_definition, LAYOUT, "agents")

    assert by_hand.read(store, "shop", definitions.get_definition, TOY, "agents").body == {"is": "a toy"}
    with pytest.raises(NotFound, match="Domain nowhere does not exist"):
        by_hand.read(store, "nowhere", definitions.get_definition, TOY, "agents")


def test_a_kind_keeps_the_bodies_that_something_refers_to(store: Store) -> None:
    referred = {1, 3}

    def is_needed(_connection: Connection, definition: Definition) -> bool:
        return definition.version in referred

    kind = DefinitionKind(name="toy", noun="toy", is_body_needed=is_needed)
    make_domain(store, "shop")
    toy = by_hand.write(store, "shop", definitions.create_definition, kind, "a", body={"v": 1}).definition
    for version in (2, 3, 4):
        changed = by_hand.write(store, "shop", definitions.change_definition, kind, toy, body={"v": version})
        toy = changed.definition

    with store.read() as connection:
        kept = connection.execute(select(tables.definition_body.c.version)).scalars().all()
        assert sorted(kept) == [1, 3, 4]
        assert [rows.read_body(connection, toy, version) for version in (1, 3, None)] == [{"v": 1}, {"v": 3}, {"v": 4}]


def test_one_layout_of_a_type_is_the_default(store: Store) -> None:
    make_domain(store, "shop")
    create(store, "a")
    create(store, "b")
    create(store, "c", IsDefault=False)

    def defaults() -> list[str]:
        page = by_hand.read(store, "shop", definitions.list_definitions, LAYOUT, list_name="L", max_results=10)
        return [one.name for one in page.definitions if one.summary["IsDefault"]]

    assert defaults() == ["b"]
    by_hand.At(LATER).write(store, "shop", layouts.update_layout, "c", {"IsDefault": True})
    assert defaults() == ["c"]
    # The others are as they were but for that.
    assert (get(store, "b")[0].version, get(store, "b")[0].updated_at) == (1, NOW)
    by_hand.At(LATER).write(store, "shop", layouts.update_layout, "c", {"IsDefault": False})
    assert defaults() == []


def test_definitions_are_listed_in_pages_in_the_order_of_the_bytes_of_their_names(store: Store) -> None:
    make_domain(store, "shop")
    for name in ("b", "B", "a-1", "a_1"):
        create(store, name)

    pages: list[list[str]] = []
    token: str | None = None
    while not pages or token:
        page = by_hand.read(
            store,
            "shop",
            definitions.list_definitions,
            LAYOUT,
            list_name="ListDomainLayouts",
            max_results=3,
            next_token=token,
        )
        pages.append([one.name for one in page.definitions])
        token = page.next_token

    assert pages == [["B", "a-1", "a_1"], ["b"]]
    with pytest.raises(InvalidRequest, match="NextToken is not valid here"):
        by_hand.read(store, "shop", definitions.list_definitions, LAYOUT, list_name="L", max_results=3, next_token="x")


def test_definitions_are_tagged_without_a_new_version(store: Store) -> None:
    make_domain(store, "shop")
    create(store)

    by_hand.write(store, "shop", definitions.tag, LAYOUT, "agents", {"team": "b", "stage": "test"})
    by_hand.write(store, "shop", definitions.untag, LAYOUT, "agents", ["stage", "unknown"])

    assert get(store)[0].tags == {"team": "b"}
    assert (get(store)[0].version, get(store)[0].updated_at) == (1, NOW)
    with pytest.raises(InvalidRequest, match="Layout agents would have 51 tags"):
        by_hand.write(store, "shop", definitions.tag, LAYOUT, "agents", {f"t{number}": "" for number in range(50)})


@pytest.mark.parametrize("text", ['\u00fc\U0001f600"\\\n\t\u2028\x7f', "x" * 2_000_000, "\ud800", "a\x00b"])
def test_a_text_comes_back_as_it_was(store: Store, text: str) -> None:
    make_domain(store, "shop")
    create(store, Layout=text)

    assert get(store)[1] == {"Layout": text}


def test_the_definitions_of_a_deleted_domain_are_removed(store: Store) -> None:
    make_domain(store, "shop")
    make_domain(store, "other")
    for number in range(20):
        create(store, f"n{number}")
    by_hand.write(store, "other", layouts.create_layout, "stays", MEMBERS, {})
    by_hand.write(store, "shop", domains.delete_domain)

    while True:
        with store.write() as connection:
            if not remove_deleted_domain_step(connection, NOW, 100):
                break

    assert (count(store, tables.definition), count(store, tables.definition_body)) == (1, 1)
