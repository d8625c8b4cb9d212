"""Definitions: what a domain keeps by name, of any kind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from openprofiles.definitions import definitions, layouts
from openprofiles.definitions.definitions import DefinitionKind, writing
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
# All that a kind needs: these lines, and one in definitions.kinds if it has an ARN.
TOY = DefinitionKind(name="toy", noun="toy", arn_part="toys")


def create(store: Store, name: str = "agents", **members: Any) -> Definition:
    return layouts.create_layout(store, "shop", name, MEMBERS | members, {"team": "a"}, NOW).definition


def get(store: Store, name: str = "agents") -> tuple[Definition, dict[str, Any]]:
    found = definitions.get_definition(store, "shop", LAYOUT, name)
    return found.definition, dict(found.body)


def count(store: Store, table: Any) -> int:
    with store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_a_definition_is_created_read_updated_listed_and_deleted(store: Store) -> None:
    make_domain(store, "shop")

    made = create(store)
    changed = layouts.update_layout(store, "shop", "agents", {"Layout": "[1]", "DisplayName": "All"}, LATER)
    unchanged = layouts.update_layout(store, "shop", "agents", {"Description": "New"}, LATER)

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

    definitions.delete_definition(store, "shop", LAYOUT, "agents", LATER)

    with pytest.raises(NotFound, match="Layout agents does not exist in domain shop"):
        get(store)
    with pytest.raises(NotFound, match="Layout agents does not exist in domain shop"):
        layouts.update_layout(store, "shop", "agents", {"Layout": "{}"}, LATER)
    with pytest.raises(NotFound):
        definitions.delete_definition(store, "shop", LAYOUT, "agents", LATER)


def test_a_deleted_name_can_be_used_again_at_once_and_its_number_never(store: Store) -> None:
    make_domain(store, "shop")
    first = create(store)
    with pytest.raises(InvalidRequest, match="Layout agents already exists"):
        create(store)
    definitions.delete_definition(store, "shop", LAYOUT, "agents", LATER)

    second = create(store, Layout="[]")
    with store.write() as connection:
        assert remove_deleted_definitions_step(connection, LATER, 100) == 1
        assert remove_deleted_definitions_step(connection, LATER, 100) == 0
    definitions.delete_definition(store, "shop", LAYOUT, "agents", LATER)
    with store.write() as connection:
        assert remove_deleted_definitions_step(connection, LATER, 100) == 1

    third = create(store)

    assert len({first.definition_id, second.definition_id, third.definition_id}) == 3
    assert (count(store, tables.definition), count(store, tables.definition_body)) == (1, 1)


def test_definitions_of_another_kind_or_domain_are_others(store: Store) -> None:
    make_domain(store, "shop")
    make_domain(store, "other")
    create(store)

    with writing(store, "shop", TOY, NOW) as work:
        work.create("agents", summary={}, body={"is": "a toy"}, tags={})
    with pytest.raises(NotFound, match="Layout agents does not exist in domain other"):
        definitions.get_definition(store, "other", LAYOUT, "agents")
    definitions.delete_definition(store, "shop", LAYOUT, "agents", LATER)

    assert definitions.get_definition(store, "shop", TOY, "agents").body == {"is": "a toy"}
    with pytest.raises(NotFound, match="Domain nowhere does not exist"):
        definitions.get_definition(store, "nowhere", TOY, "agents")


def test_a_kind_keeps_the_bodies_that_something_refers_to(store: Store) -> None:
    referred = {1, 3}

    def is_needed(_connection: Connection, definition: Definition) -> bool:
        return definition.version in referred

    kind = DefinitionKind(name="toy", noun="toy", is_body_needed=is_needed)
    make_domain(store, "shop")
    with writing(store, "shop", kind, NOW) as work:
        toy = work.create("a", summary={}, body={"v": 1}, tags={}).definition
        for version in (2, 3, 4):
            toy = work.change(toy, body={"v": version}).definition

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
        page = definitions.list_definitions(store, "shop", LAYOUT, list_name="L", max_results=10, next_token=None)
        return [one.name for one in page.definitions if one.summary["IsDefault"]]

    assert defaults() == ["b"]
    layouts.update_layout(store, "shop", "c", {"IsDefault": True}, LATER)
    assert defaults() == ["c"]
    # The others are as they were but for that.
    assert (get(store, "b")[0].version, get(store, "b")[0].updated_at) == (1, NOW)
    layouts.update_layout(store, "shop", "c", {"IsDefault": False}, LATER)
    assert defaults() == []


def test_definitions_are_listed_in_pages_in_the_order_of_the_bytes_of_their_names(store: Store) -> None:
    make_domain(store, "shop")
    for name in ("b", "B", "a-1", "a_1"):
        create(store, name)

    pages: list[list[str]] = []
    token: str | None = None
    while not pages or token:
        page = definitions.list_definitions(
            store, "shop", LAYOUT, list_name="ListDomainLayouts", max_results=3, next_token=token
        )
        pages.append([one.name for one in page.definitions])
        token = page.next_token

    assert pages == [["B", "a-1", "a_1"], ["b"]]
    with pytest.raises(InvalidRequest, match="NextToken is not valid here"):
        definitions.list_definitions(store, "shop", LAYOUT, list_name="L", max_results=3, next_token="x")


def test_definitions_are_tagged_without_a_new_version(store: Store) -> None:
    make_domain(store, "shop")
    create(store)

    definitions.tag(store, "shop", LAYOUT, "agents", {"team": "b", "stage": "test"})
    definitions.untag(store, "shop", LAYOUT, "agents", ["stage", "unknown"])

    assert definitions.tags_of(store, "shop", LAYOUT, "agents") == {"team": "b"}
    assert (get(store)[0].version, get(store)[0].updated_at) == (1, NOW)
    with pytest.raises(InvalidRequest, match="Layout agents would have 51 tags"):
        definitions.tag(store, "shop", LAYOUT, "agents", {f"t{number}": "" for number in range(50)})


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
    layouts.create_layout(store, "other", "stays", MEMBERS, {}, NOW)
    domains.delete_domain(store, "shop", NOW)

    while True:
        with store.write() as connection:
            if not remove_deleted_domain_step(connection, NOW, 100):
                break

    assert (count(store, tables.definition), count(store, tables.definition_body)) == (1, 1)
