"""AWS's templates of object types.

Source: admin guide, pages on mapping the objects of each source; facts in ``templates.json``. A template that AWS
documents by name only has no fields and keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from openprofiles.errors import NotFound
from openprofiles.objects.standard_objects import standard_objects
from openprofiles.pages import read_token, write_token

_LIST_NAME = "ListProfileObjectTypeTemplates"


@cache
def templates() -> Mapping[str, Mapping[str, Any]]:
    """Return the members of all templates by id, in the order of their ids."""
    facts = json.loads(resources.files("openprofiles.objects").joinpath("templates.json").read_bytes())
    # Each standard object has a template of its name, with nothing to map.
    standard = {
        name: {"SourceName": name[1:], "SourceObject": name[1:], "Fields": {}, "Keys": {}}
        for name in standard_objects()
    }
    return dict(sorted((facts | standard).items()))


@cache
def template_key_names() -> frozenset[str]:
    """Return the names of the keys of all templates."""
    return frozenset(name for template in templates().values() for name in template["Keys"])


def get_template(template_id: str) -> Mapping[str, Any]:
    """Return the members of a template.

    Raises:
        NotFound: there is no such template.
    """
    found = templates().get(template_id)
    if found is None:
        raise NotFound(f"Template {template_id} does not exist. ListProfileObjectTypeTemplates lists all templates.")
    return found


def list_templates(max_results: int, next_token: str | None) -> tuple[list[str], str | None]:
    """List the ids of templates; return them, and the token of the next page.

    Raises:
        InvalidRequest: the token is not one of this list's.
    """
    after = "" if next_token is None else str(read_token(_LIST_NAME, next_token, (str,))[0])
    ids = [one for one in templates() if one > after]
    page = ids[:max_results]
    return page, write_token(_LIST_NAME, [page[-1]]) if len(ids) > max_results else None
