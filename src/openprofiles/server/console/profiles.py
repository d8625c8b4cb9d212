"""The pages of profiles: search, view, edit and delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from openprofiles.calculated.definitions import list_calculated
from openprofiles.calculated.profile_values import calculate_for
from openprofiles.errors import InvalidRequest
from openprofiles.facts.field_labels import full_label_of, label_of
from openprofiles.facts.folded_words import has_words, searched_words, words_of_profile
from openprofiles.facts.records import Domain, Profile
from openprofiles.facts.standard_profile import (
    ATTRIBUTES_PREFIX,
    EMAIL_KEY,
    ENGAGEMENT_PREFERENCES_PATH,
    KEY_PATHS,
    attribute_of_target,
)
from openprofiles.facts.summaries import first_of, name_of
from openprofiles.objects.lineage import read_lineage
from openprofiles.objects.objects import ObjectsOfType, list_newest_objects
from openprofiles.operations.profile_shapes import change_of_request
from openprofiles.profiles.domains import count_profiles, get_indexed_paths
from openprofiles.profiles.history import list_history
from openprofiles.profiles.profiles import (
    ChangedMeanwhile,
    delete_profile,
    get_profile,
    update_profile,
)
from openprofiles.profiles.search import search_profiles
from openprofiles.profiles.search_text import likely_keys
from openprofiles.profiles.session import Reading
from openprofiles.profiles.text_search import find_by_words
from openprofiles.segments.membership import find_segments_of
from openprofiles.server.console.page_permissions import NEEDS, Page, path_of_tab
from openprofiles.server.console.profile_fields import GROUPS
from openprofiles.server.console.profile_form import (
    Draft,
    attribute_rows,
    draft_of,
    faults_of,
    form_groups,
    label_of_control,
    read_draft,
)
from openprofiles.server.console.profile_list import result_of
from openprofiles.server.console.render import PAGE_HEADERS
from openprofiles.server.console.visitors import Visitor, signed_in
from openprofiles.server.services import Services
from openprofiles.store.change_actions import action_words
from openprofiles.store.definitions import Definition
from openprofiles.uploads import jobs

_PROFILES_PER_PAGE = 50
_CHANGES_PER_PAGE = 10
_SEGMENTS_SHOWN = 50
_MEMBERSHIP = "profile:GetSegmentMembership"
_OBJECTS_PER_TYPE = 5


@dataclass(frozen=True, slots=True)
class _ShownValue:
    """A value on the page of a profile.

    Attributes:
        api_name: the name of the field in the API; None if the label is that name.
        object_type: the name of the type of the object that has given it; None: none has, or that is not shown.
    """

    label: str
    api_name: str | None
    text: str
    is_edited_by_hand: bool
    object_type: str | None = None


def routes(services: Services) -> list[Route]:
    """Return the routes of ``/console/domains/{domain_name}/profiles`` and below."""
    base = "/console/domains/{domain_name}/profiles"
    return [
        Route(base, signed_in(services, find_profiles), methods=["GET"]),
        Route(base + "/{profile_id}", signed_in(services, show_profile), methods=["GET"]),
        Route(base + "/{profile_id}/edit", signed_in(services, edit_profile), methods=["GET"]),
        Route(base + "/{profile_id}/edit", signed_in(services, save_profile), methods=["POST"]),
        Route(base + "/{profile_id}/delete", signed_in(services, remove_profile), methods=["POST"]),
    ]


def find_profiles(visitor: Visitor) -> Response:
    """Show the customers of a domain, the newest first, or those that a text finds."""
    query = visitor.request.query_params
    text, token = query.get("q", "").strip(), query.get("next-token")
    found: list[Profile] = []
    next_token = fault = None
    # A value of signs alone may be that of a key.
    is_exact = "exact" in query or (text != "" and not searched_words(text))
    is_complete, profile_count = True, None
    with visitor.reading(*NEEDS[Page.PROFILES]) as session:
        indexed_paths = sorted(get_indexed_paths(session))
        try:
            if not is_exact:
                page = find_by_words(session, text, max_results=_PROFILES_PER_PAGE, next_token=token)
                found, next_token, is_complete = page.profiles, page.next_token, page.is_complete
            if is_exact or (text and token is None):
                exact, more = _find_exactly(session, text, indexed_paths, token if is_exact else None)
                is_exact = is_exact or not (found or next_token)
                if is_exact:
                    found, next_token = exact, more
                else:
                    # What words find, too, has its place among the others.
                    words = searched_words(text, session.domain.phone_region)
                    known = {one.pid for one in found}
                    others = (one for one in exact if one.pid not in known)
                    found = [one for one in others if not has_words(words_of_profile(one.values), words)] + found
        except InvalidRequest as error:
            fault = str(error)
        if not text and fault is None:
            profile_count = count_profiles(session)
    return visitor.page(
        "profiles.html",
        status=200 if fault is None else 400,
        domain=session.domain,
        text=text,
        indexed=[_field_in_words(path) for path in indexed_paths],
        results=[result_of(profile) for profile in found],
        next_token=next_token,
        is_exact=is_exact,
        is_first=token is None,
        is_complete=is_complete,
        profile_count=profile_count,
        fault=fault,
        was_deleted="deleted" in query,
    )


def _find_exactly(
    session: Reading, text: str, indexed_paths: list[str], token: str | None
) -> tuple[list[Profile], str | None]:
    """Find profiles by a whole value: an id, a key that was added, or a field that files use as their unique key."""
    keys = likely_keys(text, indexed_paths)
    if not keys:
        return [], None
    page = search_profiles(session, keys, max_results=_PROFILES_PER_PAGE, next_token=token)
    return [one.profile for one in page.found], page.next_token


def show_profile(visitor: Visitor) -> Response:
    """Show one profile with all its values."""
    changes = last_job = None
    object_types: dict[str, str] = {}
    objects: list[ObjectsOfType] = []
    segments: list[tuple[Definition, bool]] = []
    calculated: list[tuple[str, str]] = []
    with visitor.reading(*NEEDS[Page.PROFILE]) as session:
        domain, profile = session.domain, get_profile(session, visitor.request.path_params["profile_id"])
        if visitor.may("profile:ListProfileHistoryRecords", domain.name):
            changes = list_history(
                session,
                profile.profile_id,
                max_results=_CHANGES_PER_PAGE,
                next_token=visitor.request.query_params.get("changes"),
            )
        if profile.sources and visitor.may("openprofiles:GetLineage", domain.name):
            lineage = read_lineage(session, profile.profile_id)
            object_types = {one.path: one.object_type for one in lineage if one.object_type is not None}
        if profile.object_count and visitor.may("profile:ListProfileObjects", domain.name):
            objects = list_newest_objects(session, profile.pid, per_type=_OBJECTS_PER_TYPE)
        if all(visitor.may(action, domain.name) for action in (*NEEDS[Page.SEGMENT], _MEMBERSHIP)):
            segments = find_segments_of(session, profile, limit=_SEGMENTS_SHOWN)
        if visitor.may("profile:ListCalculatedAttributesForProfile", domain.name):
            values = calculate_for(session, [profile], list_calculated(session))
            calculated = [
                (one.summary.get("DisplayName", one.name), value.text) for _, one, value in values if value.text
            ]
        if profile.last_upload_job is not None and visitor.may_open(Page.JOB, domain.name):
            last_job = jobs.find_job_of_number(session, profile.last_upload_job)
    return visitor.page(
        "profile.html",
        domain=domain,
        profile=profile,
        title=_title_of(profile),
        groups=_shown_groups(profile, object_types),
        objects=objects,
        segments=segments,
        calculated=calculated,
        last_job=last_job,
        changes=changes,
        action_words=action_words,
        was_saved="saved" in visitor.request.query_params,
    )


def edit_profile(visitor: Visitor) -> Response:
    """Show the form for one profile."""
    domain, profile = _find(visitor)
    return _form_page(visitor, domain, profile, draft_of(profile))


def save_profile(visitor: Visitor) -> Response:
    """Save what was changed in the form."""
    domain, profile = _find(visitor)
    draft = read_draft(visitor.form())
    request = draft.request(domain.name, profile.profile_id)
    place = _path_of(domain, profile)
    try:
        if faults := faults_of(draft, request):
            return _form_page(visitor, domain, profile, draft, faults=faults)
        if len(request) == len(("DomainName", "ProfileId")):
            return RedirectResponse(place, 303, headers=PAGE_HEADERS)
        change = change_of_request(request)
        with visitor.writing() as session:
            update_profile(session, profile.profile_id, change, only_revision=draft.revision)
    except InvalidRequest as error:
        return _form_page(visitor, domain, profile, draft, message=str(error))
    except ChangedMeanwhile as error:
        return _form_page(visitor, domain, error.profile, draft.after(error.profile), is_conflict=True)
    return RedirectResponse(place + "?saved=1", 303, headers=PAGE_HEADERS)


def remove_profile(visitor: Visitor) -> Response:
    """Delete the profile."""
    with visitor.writing("profile:DeleteProfile") as session:
        delete_profile(session, visitor.request.path_params["profile_id"])
    domain_name = session.domain.name
    place = path_of_tab(Page.PROFILES, domain_name)
    return visitor.redirect_after(domain_name, "profile-deleted", (Page.PROFILES, f"{place}?deleted=1"))


def _find(visitor: Visitor) -> tuple[Domain, Profile]:
    """Return the profile in the path if the visitor may edit it."""
    with visitor.reading(*NEEDS[Page.PROFILE_FORM]) as session:
        return session.domain, get_profile(session, visitor.request.path_params["profile_id"])


def _form_page(
    visitor: Visitor,
    domain: Domain,
    profile: Profile,
    draft: Draft,
    *,
    faults: dict[str, str] | None = None,
    message: str | None = None,
    is_conflict: bool = False,
) -> Response:
    faults = faults or {}
    status = 409 if is_conflict else 400 if faults or message else 200
    return visitor.page(
        "profile_form.html",
        status=status,
        domain=domain,
        profile=profile,
        title=_title_of(profile),
        draft=draft,
        groups=form_groups(draft, faults),
        attributes=attribute_rows(draft, faults),
        faults=[(control_id, label_of_control(control_id, draft), fault) for control_id, fault in faults.items()],
        message=message,
        is_conflict=is_conflict,
    )


def _path_of(domain: Domain, profile: Profile) -> str:
    return f"/console/domains/{domain.name}/profiles/{quote(profile.profile_id)}"


def _field_in_words(path: str) -> str:
    kind = "field" if attribute_of_target(path) is None else "custom attribute"
    return f"{kind} “{full_label_of(path)}”"


def _title_of(profile: Profile) -> str:
    return name_of(profile) or first_of(profile, KEY_PATHS[EMAIL_KEY]) or "Profile without a name"


def _shown_groups(profile: Profile, object_types: Mapping[str, str]) -> list[tuple[str, list[_ShownValue]]]:
    """Return the groups of values that the profile has, with their titles."""
    groups = [
        (
            group.title,
            [
                _ShownValue(label_of(path), path, profile.values[path], path in profile.origins, object_types.get(path))
                for path in group.paths
                if path in profile.values
            ],
        )
        for group in GROUPS
    ]
    attributes = [
        _ShownValue(name, None, text, (path := ATTRIBUTES_PREFIX + name) in profile.origins, object_types.get(path))
        for name, text in sorted(profile.attributes.items())
    ]
    groups[-1:-1] = [("Custom attributes", attributes), ("Engagement preferences", _shown_preferences(profile))]
    return [(title, values) for title, values in groups if values]


def _shown_preferences(profile: Profile) -> list[_ShownValue]:
    by_hand = ENGAGEMENT_PREFERENCES_PATH in profile.origins
    return [
        _ShownValue(
            kind,
            None,
            " ".join(str(one[name]) for name in ("KeyName", "KeyValue", "ProfileId") if name in one),
            by_hand,
        )
        for kind, contacts in (profile.engagement_preferences or {}).items()
        for one in contacts
    ]
