"""Write the wire layer's model.json and types.py from the installed botocore, and own_types.py from own_model.json.

    python scripts/generate_wire.py           writes the three files
    python scripts/generate_wire.py --check   writes nothing; exits 1 when a checked-in file differs

model.json holds names, types, constraints, bindings, errors and paginators of the service, and no documentation text.
The result depends on botocore's version and own_model.json alone; an upgrade shows as a diff of the files.
"""

from __future__ import annotations

import argparse
import json
import keyword
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore
from botocore.loaders import Loader

from openprofiles.wire.model import (
    BlobShape,
    BooleanShape,
    DoubleShape,
    IntegerShape,
    ListShape,
    MapShape,
    Member,
    Model,
    Shape,
    StructureShape,
    TextShape,
    TimestampShape,
    build_model,
    load_own_model,
)

SERVICE = "customer-profiles"
API_VERSION = "2020-08-15"
WIRE = Path(__file__).resolve().parent.parent / "src" / "openprofiles" / "wire"
LINE_LENGTH = 120

# Members that only explain.
PROSE = {"documentation", "deprecatedMessage", "deprecatedSince"}

# Values that AWS documents and takes, and that botocore's model lacks: the standard object _contact.
NEWER_VALUES = {"StandardIdentifier": "CONTACT"}


def main(arguments: list[str]) -> int:
    """Write the files, or compare them; return the exit status."""
    parser = argparse.ArgumentParser(description="Write wire/model.json and wire/types.py from the installed botocore.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing; exit 1 when a file differs")
    parser.add_argument("--directory", type=Path, default=WIRE, help="folder of the files")
    options = parser.parse_args(arguments)
    document = read_service()
    files = {
        "model.json": write_json(document) + "\n",
        "types.py": write_types(build_model(document)),
        "own_types.py": write_types(load_own_model()),
    }
    stale = []
    for name, content in files.items():
        path = options.directory / name
        if path.exists() and path.read_text(encoding="utf-8") == content:
            continue
        stale.append(name)
        if not options.check:
            path.write_text(content, encoding="utf-8")
    if options.check and stale:
        print(
            f"{' and '.join(stale)} differ from what botocore {botocore.__version__} gives. "
            "Run python scripts/generate_wire.py and review the diff.",
            file=sys.stderr,
        )
        return 1
    print(f"botocore {botocore.__version__}: {', '.join(stale) or 'nothing'} written")
    return 0


def read_service() -> dict[str, Any]:
    """Read the service's model and paginators from botocore, without documentation text."""
    loader = Loader(
        include_default_search_paths=False, extra_search_paths=[str(Path(botocore.__file__).parent / "data")]
    )
    service = loader.load_service_model(SERVICE, "service-2", API_VERSION)
    paginators = loader.load_service_model(SERVICE, "paginators-1", API_VERSION)
    document = {
        **{name: value for name, value in service.items() if name not in PROSE | {"version"}},
        "botocore": botocore.__version__,
        "operations": {name: _without_prose(operation) for name, operation in service["operations"].items()},
        "shapes": {name: _shape_without_prose(shape) for name, shape in service["shapes"].items()},
        "pagination": paginators["pagination"],
    }
    for operation in document["operations"].values():
        for end in ("input", "output"):
            if end in operation:
                operation[end] = _without_prose(operation[end])
        operation["errors"] = [_without_prose(error) for error in operation["errors"]]
    for name, value in NEWER_VALUES.items():
        values = document["shapes"][name]["enum"]
        if value in values:
            raise ValueError(f"botocore has the value {value} of {name} now. Remove it from NEWER_VALUES.")
        values.append(value)
    return document


def _without_prose(traits: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in traits.items() if name not in PROSE}


def _shape_without_prose(shape: Mapping[str, Any]) -> dict[str, Any]:
    # Not recursively, since a member of a structure can have the name "documentation".
    traits = _without_prose(shape)
    for name in ("member", "key", "value"):
        if name in traits:
            traits[name] = _without_prose(traits[name])
    if "members" in traits:
        traits["members"] = {name: _without_prose(member) for name, member in traits["members"].items()}
    return traits


def write_json(value: Any, indent: int = 0, used: int = 0) -> str:
    """Write JSON with sorted keys: on one line if it fits, otherwise one entry per line.

    Args:
        value: what to write.
        indent: columns before a line of this value.
        used: columns that the key before the value takes.
    """
    line = json.dumps(value, sort_keys=True, ensure_ascii=False)
    if not isinstance(value, dict | list) or (indent and indent + used + len(line) < LINE_LENGTH):
        return line
    inner = " " * (indent + 1)
    if isinstance(value, list):
        entries = [inner + write_json(entry, indent + 1) for entry in value]
        return "[\n" + ",\n".join(entries) + "\n" + " " * indent + "]"
    entries = []
    for key in sorted(value):
        name = json.dumps(key) + ": "
        entries.append(inner + name + write_json(value[key], indent + 1, len(name)))
    return "{\n" + ",\n".join(entries) + "\n" + " " * indent + "}"


# Names that types.py uses itself; a shape of the model must not take one.
TAKEN = {
    "Iterable",
    "Literal",
    "NotRequired",
    "TypeAlias",
    "TypedDict",
    "datetime",
    "str",
    "int",
    "float",
    "bool",
    "bytes",
    "list",
    "dict",
}

HEADER = '''# Generated by scripts/generate_wire.py from {source}; do not edit.
"""The shapes of the API as types, named as in the service model.

A request is what a handler receives, an answer what it returns. A member is required where the model requires it. One
that is not may be absent; it is never None in a request, and None stands for an absent one in an answer.
"""

{imports}from datetime import datetime
from typing import Literal, NotRequired, TypeAlias, TypedDict
'''


def write_types(model: Model) -> str:
    """Write types.py: a Literal for each enum, and a TypedDict for each structure.

    A structure comes after those that it holds.

    In this order no annotation needs to be text, which would make every member required at run time.
    """
    names = {*model.structures, *model.enums}
    _refuse_names(names & TAKEN)
    # Inside a class, mypy takes a name for the class's own member of that name. The shape then goes by an alias.
    aliases: set[str] = set()
    written = {name: _write_enum(shape) for name, shape in sorted(model.enums.items())}
    of_requests = {one.name for one in _held_in(operation.input for operation in model.operations.values())}
    for structure in _held_in(shape for _, shape in sorted(model.structures.items())):
        written[structure.name] = "\n".join(_write_structure(structure, aliases, structure.name in of_requests))
    _refuse_names(names & {f"_{name}" for name in aliases})
    source = f"botocore {model.botocore_version}" if model.botocore_version else "own_model.json"
    has_streams = any("Iterable[" in text for text in written.values())
    imports = "from collections.abc import Iterable\n" if has_streams else ""
    parts = [HEADER.format(source=source, imports=imports)]
    for name, text in written.items():
        parts.append(text)
        if name in aliases:
            gap = "\n\n" if name in model.structures else ""
            parts.append(f"{gap}_{name}: TypeAlias = {name}")
    return "\n".join(parts) + "\n"


def _held_in(shapes: Iterable[Shape]) -> list[StructureShape]:
    """List the structures in these shapes, each after those that it holds."""
    order: dict[str, StructureShape] = {}

    def visit(shape: Shape) -> None:
        match shape:
            case ListShape():
                visit(shape.element)
            case MapShape():
                visit(shape.value)
            case StructureShape() if shape.name not in order:
                for _, member in sorted(shape.members.items()):
                    visit(member.shape)
                order[shape.name] = shape

    for shape in shapes:
        visit(shape)
    return list(order.values())


def _write_enum(shape: TextShape) -> str:
    values = [json.dumps(value) for value in shape.allowed or ()]
    line = f"{shape.name}: TypeAlias = Literal[{', '.join(values)}]"
    if len(line) <= LINE_LENGTH:
        return line
    return f"{shape.name}: TypeAlias = Literal[\n" + "".join(f"    {value},\n" for value in values) + "]"


def _write_structure(structure: StructureShape, aliases: set[str], is_of_request: bool) -> Iterator[str]:
    yield f"\n\nclass {structure.name}(TypedDict):"
    if not structure.members:
        yield "    pass"
    for member in sorted(structure.members.values(), key=lambda member: member.name):
        if keyword.iskeyword(member.name):
            _refuse_names({member.name})
        written = _write_type(member, member.shape, structure, aliases)
        optional = f"NotRequired[{written}]" if is_of_request else f"NotRequired[{written} | None]"
        yield f"    {member.name}: " + (written if member.name in structure.required else optional)


def _write_type(member: Member, shape: Shape, owner: StructureShape, aliases: set[str]) -> str:
    match shape:
        case TextShape(allowed=None):
            name = "str"
        case IntegerShape():
            name = "int"
        case DoubleShape():
            name = "float"
        case BooleanShape():
            name = "bool"
        case TimestampShape():
            name = "datetime"
        case BlobShape(streaming=True):
            return "Iterable[bytes]"
        case BlobShape():
            name = "bytes"
        case ListShape():
            return f"list[{_write_type(member, shape.element, owner, aliases)}]"
        case MapShape():
            key = _write_type(member, shape.key, owner, aliases)
            return f"dict[{key}, {_write_type(member, shape.value, owner, aliases)}]"
        case TextShape() | StructureShape():
            if shape.name in owner.members:
                aliases.add(shape.name)
                return f"_{shape.name}"
            return shape.name
    _refuse_names({name} & set(owner.members))
    return name


def _refuse_names(names: set[str]) -> None:
    if names:
        raise SystemExit(f"types.py cannot be written: the model uses the names {', '.join(sorted(names))}.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
