"""The page of an object type: defined from a template, from a sample object or by hand, changed and deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from openprofiles.errors import DomainError
from openprofiles.objects import type_definitions
from openprofiles.objects.definition_texts import definition_members, read_definition_text
from openprofiles.objects.templates import get_template, templates
from openprofiles.server.console.page_permissions import NEEDS, Page, path_of_tab
from openprofiles.server.console.visitors import Visitor, signed_in
from openprofiles.server.services import Services
from openprofiles.uploads.mappings.detect_object_type import detect_object_type
from openprofiles.wire.errors import WireError
from openprofiles.wire.given_requests import read_structure
from openprofiles.wire.model import load_model

PUTTING = "profile:PutProfileObjectType"
DETECTING = "profile:DetectProfileObjectType"
_DELETING = "profile:DeleteProfileObjectType"
_PUT = "PutProfileObjectType"
_NAMES = ("DomainName", "ObjectTypeName", "Tags")
_MOST_SAMPLES = 5


def routes(services: Services) -> list[Route]:
    """Return the routes of ``/console/domains/{domain_name}/object-types`` and below."""
    base = "/console/domains/{domain_name}/object-types"
    return [
        Route(base, signed_in(services, show_new), methods=["GET"]),
        Route(base, signed_in(services, save), methods=["POST"]),
        Route(base + "/suggestion", signed_in(services, suggest), methods=["POST"]),
        Route(base + "/{object_type}", signed_in(services, show), methods=["GET"]),
        Route(base + "/{object_type}/delete", signed_in(services, delete), methods=["POST"]),
    ]


def show_new(visitor: Visitor) -> Response:
    """Show an empty form."""
    return _page(visitor, {})


def show(visitor: Visitor) -> Response:
    """Show an object type, to change it."""
    name = _name_in_path(visitor)
    with visitor.reading(*NEEDS[Page.OBJECT_TYPE]) as session:
        found = type_definitions.get_object_type(session, name)
    return _page(visitor, {"name": name, "definition": _text_of(found.body)}, existing=name)


def suggest(visitor: Visitor) -> Response:
    """Fill in the definition from a template, or from a sample."""
    form = visitor.form()
    try:
        if form.get("from") == "template":
            members = {"TemplateId": form.get("template", ""), "Description": form.get("name") or "From a template"}
            get_template(members["TemplateId"])
            return _page(visitor, form | {"definition": _text_of(members)})
        with visitor.reading(*NEEDS[Page.OBJECT_TYPE], DETECTING) as session:
            region = session.domain.phone_region
        lines = [line for line in form.get("sample", "").splitlines() if line.strip()]
        # Objects on a line each, or one on several lines.
        texts = lines if all(_is_object(line) for line in lines) else [form.get("sample", "")]
        found = detect_object_type(texts[:_MOST_SAMPLES], region)
    except DomainError as error:
        return _page(visitor, form, str(error))
    if found is None:
        return _page(
            visitor,
            form,
            "The sample has no member that identifies an object, or none that identifies its customer, such as an "
            "email address. Add a sample that has both, or write the definition by hand.",
        )
    return _page(visitor, form | {"definition": _text_of({"AllowProfileCreation": True, **found})})


def save(visitor: Visitor) -> Response:
    """Define an object type, or replace its definition."""
    form = visitor.form()
    name = form.get("name", "").strip()
    existing = form.get("existing") or None
    try:
        given = read_definition_text(form.get("definition", ""), "The definition", name)
        names = {"DomainName": visitor.domain_name, "ObjectTypeName": name}
        request = read_structure(load_model().operations[_PUT].input, names | given)
        members = {member: value for member, value in request.items() if member not in _NAMES}
        strict = visitor.services.settings.compat_strict
        with visitor.writing(*NEEDS[Page.OBJECT_TYPE], PUTTING) as session:
            if existing is None and type_definitions.has_object_type(session, name):
                fault = f"The domain has an object type {name} already. Choose another name, or change that type."
                return _page(visitor, form, fault)
            type_definitions.put_object_type(session, name, members, request.get("Tags", {}), strict=strict)
    except WireError as error:
        return _page(visitor, form, error.message, existing)
    except DomainError as error:
        return _page(visitor, form, str(error), existing)
    return _back(visitor, "object-type-saved")


def delete(visitor: Visitor) -> Response:
    """Delete an object type with its objects and dead letters."""
    with visitor.writing(*NEEDS[Page.OBJECT_TYPE], _DELETING) as session:
        type_definitions.delete_object_type(session, _name_in_path(visitor))
    return _back(visitor, "object-type-deleted")


def _back(visitor: Visitor, done: str) -> Response:
    path = path_of_tab(Page.OBJECTS, visitor.domain_name)
    return visitor.redirect_after(visitor.domain_name, done, (Page.OBJECTS, f"{path}?done={done}"))


def _page(visitor: Visitor, form: Mapping[str, str], fault: str | None = None, existing: str | None = None) -> Response:
    needed = () if existing is not None else (PUTTING,)
    domain = visitor.domain(*NEEDS[Page.OBJECT_TYPE], *needed)
    return visitor.page(
        "object_type.html",
        status=200 if fault is None else 400,
        domain=domain,
        existing=existing,
        name=form.get("name", ""),
        definition=form.get("definition", ""),
        sample=form.get("sample", ""),
        chosen_template=form.get("template", ""),
        templates=[one for one, members in templates().items() if members["Keys"]],
        fault=fault,
    )


def _name_in_path(visitor: Visitor) -> str:
    return str(visitor.request.path_params["object_type"])


def _text_of(members: Mapping[str, Any]) -> str:
    return json.dumps(definition_members(members), indent=2, ensure_ascii=False)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
