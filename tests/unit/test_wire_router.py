"""The router, beyond what the requests over a socket show."""

from __future__ import annotations

import pytest

from openprofiles.wire.model import Operation, load_model
from openprofiles.wire.router import Router

MODEL = load_model()
ROUTER = Router(MODEL)


def filled_path(operation: Operation) -> bytes:
    path = operation.path
    for member in operation.input.members_in("label"):
        path = path.replace("{" + member.wire_name + "}", f"a%2F{member.wire_name}")
    return path.encode()


@pytest.mark.parametrize("name", sorted(MODEL.operations))
def test_an_operation_is_found_by_its_path_and_by_no_other_method(name: str) -> None:
    operation = MODEL.operations[name]

    found = ROUTER.match(operation.method, filled_path(operation))

    labels = {member.wire_name: f"a%2F{member.wire_name}".encode() for member in operation.input.members_in("label")}
    assert found == (operation, labels)
    for method in ("HEAD", "OPTIONS", operation.method.lower(), ""):
        assert ROUTER.match(method, filled_path(operation)) is None


@pytest.mark.parametrize("name", sorted(MODEL.operations))
def test_a_slash_at_the_end_never_leads_to_another_operation(name: str) -> None:
    operation = MODEL.operations[name]

    found = ROUTER.match(operation.method, filled_path(operation) + b"/")

    assert found is None or found[0] == operation


SLASHES = [
    ("GET", b"/domains/d/", "GetDomain"),
    ("GET", b"/domains/d/upload-jobs/j/", "GetUploadJob"),
    ("POST", b"/domains/d/upload-jobs/", "CreateUploadJob"),
    # A label could follow: an SDK sent an empty one.
    ("GET", b"/domains/", None),
    ("GET", b"/domains/d/upload-jobs/", None),
    ("GET", b"/domains/d/workflows/", None),
]


@pytest.mark.parametrize(("method", "path", "expected"), SLASHES)
def test_a_slash_at_the_end_is_optional_unless_a_label_could_follow(
    method: str, path: bytes, expected: str | None
) -> None:
    found = ROUTER.match(method, path)

    assert (found[0].name if found else None) == expected


def test_a_literal_goes_before_a_label_and_a_dead_end_goes_back_to_the_label() -> None:
    literal = ROUTER.match("GET", b"/domains/d/profiles/ruleBasedMatches")
    label = ROUTER.match("GET", b"/domains/object-types")

    assert literal is None or literal[0].path.endswith("ruleBasedMatches")
    assert label is not None
    assert label[0].name == "GetDomain"


@pytest.mark.parametrize("path", [b"", b"*", b"domains", b"/", b"//", b"/domains/..", b"/domains/.", b"/domains//d"])
def test_a_path_with_empty_or_dot_segments_matches_nothing(path: bytes) -> None:
    assert ROUTER.match("GET", path) is None
