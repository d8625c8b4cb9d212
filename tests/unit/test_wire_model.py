"""The model: what it holds, what is refused in it, and that its files are what botocore gives."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NotRequired, get_type_hints

import pytest

from openprofiles.wire import model as wire_model
from openprofiles.wire import types
from openprofiles.wire.model import TextShape, UnsupportedModel, build_model, compile_pattern, load_model
from openprofiles.wire.router import Router
from openprofiles.wire.signature import SIGNING_NAME

MODEL_FILE = Path(wire_model.__file__).with_name("model.json")
GENERATOR = Path(__file__).resolve().parents[2] / "scripts" / "generate_wire.py"
MODEL = load_model()


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(GENERATOR), *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_checked_in_files_are_what_the_generator_writes() -> None:
    result = generate("--check")

    assert result.returncode == 0, result.stderr


def test_the_generator_reports_a_file_that_differs(tmp_path: Path) -> None:
    assert generate("--directory", str(tmp_path)).returncode == 0
    unchanged = generate("--check", "--directory", str(tmp_path))
    (tmp_path / "types.py").write_text("# edited\n", encoding="utf-8")

    changed = generate("--check", "--directory", str(tmp_path))

    assert unchanged.returncode == 0
    assert changed.returncode == 1
    assert "types.py differ" in changed.stderr
    assert (tmp_path / "types.py").read_text(encoding="utf-8") == "# edited\n"


def test_the_wire_layer_needs_neither_botocore_nor_another_package_of_ours() -> None:
    program = (
        "import sys, openprofiles.wire.app, openprofiles.wire.types, openprofiles.wire.model as m; m.load_model();"
        "print([n for n in sys.modules if n.split('.')[0] in ('botocore', 'boto3')"
        " or n.startswith('openprofiles.') and not n.startswith('openprofiles.wire')])"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert result.stdout.strip() == "[]"


def test_the_model_holds_the_whole_service() -> None:
    assert MODEL.botocore_version == "1.44.5"
    assert len(MODEL.operations) == 115
    assert len(MODEL.paginators) == 14
    assert len(MODEL.structures) == 375
    assert MODEL.signing_name == SIGNING_NAME
    assert set(MODEL.operations["CreateDomain"].errors) == set(MODEL.errors)
    assert set(MODEL.operations["TagResource"].errors) == {
        "BadRequestException",
        "ResourceNotFoundException",
        "InternalServerException",
    }
    assert "documentation" not in MODEL_FILE.read_text(encoding="utf-8")


def test_a_request_type_requires_what_the_model_requires() -> None:
    hints = get_type_hints(types.CreateUploadJobRequest, include_extras=True)

    assert types.CreateUploadJobRequest.__required_keys__ == set(MODEL.operations["CreateUploadJob"].input.required)
    assert hints["DataExpiry"] == NotRequired[int]
    assert set(hints) == set(MODEL.operations["CreateUploadJob"].input.members)


def test_every_structure_has_a_type_with_its_members() -> None:
    for name, structure in MODEL.structures.items():
        hints = get_type_hints(getattr(types, name))
        assert set(hints) == set(structure.members)
        assert getattr(types, name).__required_keys__ == set(structure.required)


def _document() -> Any:
    return json.loads(MODEL_FILE.read_text(encoding="utf-8"))


SHAPES = ("shapes", "CreateProfileRequest", "members", "FirstName")

# (id, where, what to put there, what the refusal names)
UNKNOWN: list[tuple[str, tuple[str, ...], Any, str]] = [
    ("protocol", ("metadata", "protocol"), "rest-xml", "rest-xml"),
    ("part of the model", ("clientContextParams",), {}, "clientContextParams"),
    ("header member", (*SHAPES, "location"), "header", "CreateProfileRequest.FirstName"),
    ("trait of a member", (*SHAPES, "streaming"), True, "CreateProfileRequest.FirstName"),
    ("timestamp format of a member", (*SHAPES, "timestampFormat"), "iso8601", "timestampFormat"),
    ("JSON value", (*SHAPES, "jsonvalue"), True, "jsonvalue"),
    ("type", ("shapes", "timestamp", "type"), "document", "Shape timestamp has the unknown type document"),
    ("type float", ("shapes", "Double", "type"), "float", "Shape Double has the unknown type float"),
    ("timestamp format", ("shapes", "timestamp", "timestampFormat"), "iso8601", "timestampFormat"),
    ("payload", ("shapes", "CreateProfileRequest", "payload"), "Address", "payload"),
    ("sparse list", ("shapes", "TagKeyList", "sparse"), True, "TagKeyList"),
    ("trait of an operation", ("operations", "CreateDomain", "requestcompression"), {}, "CreateDomain"),
    ("trait of http", ("operations", "CreateDomain", "http", "checksum"), {}, "operation CreateDomain, http"),
    ("no output", ("operations", "CreateDomain", "output"), None, "CreateDomain has no output"),
    ("greedy label", ("operations", "GetDomain", "http", "requestUri"), "/domains/{DomainName+}", "GetDomain"),
    ("label and text", ("operations", "GetDomain", "http", "requestUri"), "/domains/x-{DomainName}", "GetDomain"),
    ("fixed query", ("operations", "GetDomain", "http", "requestUri"), "/domains/{DomainName}?x=y", "GetDomain"),
    ("label without member", ("operations", "GetDomain", "http", "requestUri"), "/domains/{Other}", "Other"),
    ("structure in the query", (*SHAPES[:3], "Address", "location"), "querystring", "CreateProfileRequest.Address"),
    ("label in an answer", ("shapes", "CreateProfileResponse", "members", "ProfileId", "location"), "uri", "ProfileId"),
    ("status that is text", ("shapes", "StatusCode", "type"), "string", "StatusCode"),
    ("recursive shape", ("shapes", "Address", "members", "City", "shape"), "Address", "Address refers to itself"),
    ("bound member further in", ("shapes", "Address", "members", "City", "location"), "querystring", "Address"),
    ("map with other keys", ("shapes", "TagKey"), {"type": "integer"}, "keys are not text"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "what", "named"), [row[1:] for row in UNKNOWN], ids=[row[0] for row in UNKNOWN])
def test_a_model_with_something_unknown_is_refused_and_it_is_named(
    where: tuple[str, ...], what: Any, named: str
) -> None:
    document = _document()
    place = document
    for key in where[:-1]:
        place = place[key]
    if what is None:
        del place[where[-1]]
    else:
        place[where[-1]] = copy.deepcopy(what)

    with pytest.raises(UnsupportedModel) as caught:
        build_model(document)

    assert named in str(caught.value)


@pytest.mark.parametrize("path", ["/domains/{Name}", "/{Any}/{DomainName}"])
def test_two_operations_that_one_request_could_mean_are_refused(path: str) -> None:
    document = _document()
    other = copy.deepcopy(document["operations"]["GetDomain"])
    label = path.split("{")[1].split("}")[0]
    other["http"]["requestUri"] = path
    other["input"]["shape"] = "OtherRequest"
    members = {name: {"shape": "name", "location": "uri"} for name in {label, "DomainName"} if f"{{{name}}}" in path}
    document["shapes"]["OtherRequest"] = {"type": "structure", "members": members}
    document["operations"]["Other"] = other

    with pytest.raises(UnsupportedModel, match="GetDomain and Other can match the same request"):
        Router(build_model(document))


PATTERN_CASES = [
    ("^[a-zA-Z0-9_-]+$", "abc", True),
    ("^[a-zA-Z0-9_-]+$", "abc\n", False),
    ("^[a-zA-Z0-9_-]+$", "\u0661", False),
    ("[a-f0-9]{32}", "a" * 32, True),
    ("[a-f0-9]{32}", "a" * 33, False),
    ("[a-f0-9]{32}", "a" * 32 + "\n", False),
    ("[a-f0-9]{32}", "A" * 32, False),
    ("\\d", "\u0661", False),
    ("(\\d+|\\$[a-z_]+)", "$category", True),
    ("^[$]x$", "$x", True),
    ("^arn:[a-z0-9]{1,10}:profile", "arn:aws:profile:anything", True),
    ("^(?!aws:)[a-zA-Z+-=._:/]+$", "aws:x", False),
]


@pytest.mark.parametrize(("pattern", "text", "matches"), PATTERN_CASES)
def test_a_pattern_means_what_ecma_262_says(pattern: str, text: str, matches: bool) -> None:
    assert bool(compile_pattern(pattern).search(text)) is matches


HOSTILE_UNITS = [
    "a", "1", ":", "/", "-", ".", "$", "\n", "\ud7ff", "arn:", "arn:aws:iam:", "arn:aws:kms:", "arn:a:profile:",
    ":1", "a:", "1:", "aws:", "v/2026-01-31T12-30-45", "0123456789abcdef", "arn:aws:iam:::1",
]  # fmt: skip
ENDS = ["", "\n", "!", "\x00", ":"]


def test_no_pattern_of_the_model_is_slow_on_hostile_text() -> None:
    patterns = {}
    for traits in _document()["shapes"].values():
        if "pattern" in traits:
            patterns[traits["pattern"], traits.get("max")] = compile_pattern(traits["pattern"])

    slowest_seconds = 0.0
    for (_, max_length), pattern in patterns.items():
        # Text over the maximum is refused before the pattern is asked; without one the body limit is the limit.
        length = max_length or 1_000_000
        for unit in HOSTILE_UNITS:
            for end in ENDS:
                text = (unit * (length // len(unit) + 1))[: length - len(end)] + end
                started = time.perf_counter()
                pattern.search(text)
                slowest_seconds = max(slowest_seconds, time.perf_counter() - started)

    assert len({text for text, _ in patterns}) >= 20
    assert slowest_seconds < 0.5


def test_every_enum_keeps_its_values_in_order() -> None:
    for name, traits in _document()["shapes"].items():
        if traits["type"] == "string" and traits.get("enum"):
            shape = MODEL.enums[name]
            assert isinstance(shape, TextShape)
            assert list(shape.allowed or ()) == traits["enum"]
