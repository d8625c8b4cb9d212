"""The Source of a field: how its value is read from an object.

A source is an accessor, ``_source.address.city``, or a Handlebars expression such as
``{{_source.first}} {{_source.last}}``. Of Handlebars, it may have paths, ``if``, ``unless``, ``each``, ``with``,
``else`` and AWS's ``removeExtraSpace``; anything else is refused when the object type is written.

Source: objects page of the design, 4.1; admin guide, "Mapping field definitions".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from openprofiles.facts.blanks import BLANKS
from openprofiles.objects.object_text import value_text

# The text of a value; a list of texts, with gaps, if the source goes through all items of a list; None: no value.
FieldValue: TypeAlias = "str | list[Any] | None"
ReadField: TypeAlias = Callable[[Mapping[str, Any]], FieldValue]

_PREFIX = "_source."
_BLOCKS = ("if", "unless", "each", "with", "removeExtraSpace")
_TAG = re.compile(r"\{\{(\{?)([^{}]*)(\}?)\}\}")
_BRACES = re.compile(r"\{\{|\}\}")
# A path in an expression: _source.a.b, this.a, a.[0].b, @index.
_PATH = re.compile(r"(?:this|\.|@(?:index|key|first|last)|[A-Za-z_$][\w$-]*)(?:\.\[?[\w$ -]+\]?|\[[0-9]+\])*\Z")
_STEP = re.compile(r"\.\[([^\]]+)\]|\[([0-9]+)\]|\.?([^.\[]+)")
_EACH_ITEM = "[]"
# Of an expression on one object. Our choice: as many characters as an object has.
MAX_STEPS = 20_000
MAX_CHARACTERS = 256_000


class SourceError(ValueError):
    """The source cannot be read; the message says why, without the source itself."""


def compile_source(source: str) -> ReadField:
    """Make the function that reads a field by its source.

    Raises:
        SourceError: the source is neither an accessor nor an expression that can be evaluated.
    """
    if _BRACES.search(source):
        return _compile_expression(source)
    if not source.startswith(_PREFIX):
        raise SourceError("Source must begin with _source. or be a Handlebars expression in {{ and }}.")
    steps = source.removeprefix(_PREFIX).split(".")
    if not all(step.removesuffix(_EACH_ITEM) for step in steps):
        raise SourceError("Source has an empty step. Name a member after each point, as in _source.address.city.")
    if any(_EACH_ITEM in step for step in steps):
        return _compile_list_accessor(steps)
    return _compile_accessor(steps)


def _compile_accessor(steps: Sequence[str]) -> ReadField:
    flat_name = ".".join(steps)

    def read(source: Mapping[str, Any]) -> FieldValue:
        # Flattened objects have members with points in their names.
        value = source[flat_name] if flat_name in source else _walk(source, steps)
        return _filled(value_text(value))

    return read


def _compile_list_accessor(steps: Sequence[str]) -> ReadField:
    def walk(value: Any, position: int) -> FieldValue:
        if position == len(steps):
            return _filled(value_text(value))
        step = steps[position]
        member = _member(value, step.removesuffix(_EACH_ITEM))
        if not step.endswith(_EACH_ITEM):
            return walk(member, position + 1)
        return [walk(item, position + 1) for item in member] if isinstance(member, list) else None

    def read(source: Mapping[str, Any]) -> FieldValue:
        found = walk(source, 0)
        return found if _has_value(found) else None

    return read


def _has_value(value: FieldValue) -> bool:
    return any(map(_has_value, value)) if isinstance(value, list) else value is not None


def _filled(text: str | None) -> str | None:
    """Return None for a text of blanks only: an empty source value counts as absent."""
    return text if text and text.strip(BLANKS) else None


def _walk(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        value = _member(value, step)
    return value


def _member(value: Any, step: str) -> Any:
    if isinstance(value, list):
        if step.isdecimal():
            return value[int(step)] if len(step) < 10 and int(step) < len(value) else None
        # A path that does not say which item means the first one.
        value = value[0] if value else None
    return value.get(step) if isinstance(value, dict) else None


@dataclass(slots=True)
class _Block:
    """A block of an expression, such as ``{{#if path}}...{{else}}...{{/if}}``."""

    kind: str
    path: tuple[str, ...]
    body: list[_Node] = field(default_factory=list)
    otherwise: list[_Node] | None = None

    @property
    def open_part(self) -> list[_Node]:
        return self.body if self.otherwise is None else self.otherwise


# A constant text, a path, or a block.
_Node: TypeAlias = "str | tuple[str, ...] | _Block"


@dataclass(slots=True)
class _Budget:
    """The steps and characters that an expression may still take on one object."""

    steps: int = MAX_STEPS
    characters: int = MAX_CHARACTERS

    def take(self, characters: int) -> None:
        """Take a step that gives characters.

        Raises:
            SourceError: nothing is left.
        """
        self.steps -= 1
        self.characters -= characters
        if self.steps < 0 or self.characters < 0:
            raise SourceError(
                f"its expression takes more than {MAX_STEPS:,} steps on this object, or gives more than "
                f"{MAX_CHARACTERS:,} characters"
            )


@dataclass(frozen=True, slots=True)
class _Scope:
    """What paths in a block refer to: the whole object, the present value, and the place in a loop.

    Attributes:
        budget: what is left for the whole expression.
    """

    whole: Mapping[str, Any]
    this: Any
    loop: Mapping[str, Any]
    budget: _Budget


def _compile_expression(source: str) -> ReadField:
    nodes = _parse(source)

    def read(whole: Mapping[str, Any]) -> FieldValue:
        return _filled("".join(_render(nodes, _Scope(whole, whole, {}, _Budget()))))

    return read


def _parse(source: str) -> list[_Node]:
    root = _Block("", ())
    stack = [root]
    position = 0
    for tag in _TAG.finditer(source):
        _add_constant(stack[-1], source[position : tag.start()])
        position = tag.end()
        if bool(tag[1]) != bool(tag[3]):
            raise SourceError("Source has an expression with three braces on one side and two on the other.")
        content = tag[2].strip()
        sign = content[:1] if content[:1] in ("#", "/") else ""
        content = content.removeprefix(sign).strip()
        if sign == "#":
            stack.append(_open_block(content))
            stack[-2].open_part.append(stack[-1])
        elif sign == "/":
            if len(stack) == 1 or stack[-1].kind != content:
                raise SourceError(f"Source closes the block {content or 'without a name'}, which is not open there.")
            stack.pop()
        elif content == "else":
            if len(stack) == 1 or stack[-1].otherwise is not None or stack[-1].kind == "removeExtraSpace":
                raise SourceError("Source has an else that belongs to no block.")
            stack[-1].otherwise = []
        else:
            stack[-1].open_part.append(_parse_path(content))
    _add_constant(stack[-1], source[position:])
    if len(stack) > 1:
        raise SourceError(f"Source leaves the block {stack[-1].kind} open. Close it with {{{{/{stack[-1].kind}}}}}.")
    return root.body


def _open_block(content: str) -> _Block:
    kind, _, path = content.partition(" ")
    if kind not in _BLOCKS:
        raise SourceError(
            f"Source uses a block that is not supported. Supported blocks are {', '.join(_BLOCKS[:-1])} "
            f"and {_BLOCKS[-1]}."
        )
    if kind == "removeExtraSpace":
        if path.strip():
            raise SourceError("Source gives removeExtraSpace a value; it stands alone, as in {{#removeExtraSpace}}.")
        return _Block(kind, ())
    return _Block(kind, _parse_path(path.strip()))


def _parse_path(text: str) -> tuple[str, ...]:
    if not text:
        raise SourceError("Source has an empty expression. Write a path in it, as in {{_source.name}}.")
    if not _PATH.match(text):
        raise SourceError(
            "Source has an expression that is not a path such as _source.name. Helpers other than "
            f"{', '.join(_BLOCKS)} and else, literals, comments and ../ are not supported."
        )
    if text == ".":
        return (text,)
    return tuple(one or two or three for one, two, three in _STEP.findall(text))


def _add_constant(block: _Block, text: str) -> None:
    if _BRACES.search(text):
        raise SourceError("Source has braces that belong to no expression.")
    if text:
        block.open_part.append(text)


def _render(nodes: Sequence[_Node], scope: _Scope) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, str):
            scope.budget.take(len(node))
            yield node
        elif isinstance(node, tuple):
            text = value_text(_look_up(node, scope)) or ""
            scope.budget.take(len(text))
            yield text
        else:
            scope.budget.take(0)
            yield from _render_block(node, scope)


def _render_block(block: _Block, scope: _Scope) -> Iterator[str]:
    if block.kind == "removeExtraSpace":
        yield " ".join("".join(_render(block.body, scope)).split())
        return
    value = _look_up(block.path, scope)
    is_there = value not in (None, "", False, [], {}) and not (value == 0 and value.__class__ in (int, float))
    if block.kind == "each" and isinstance(value, list | dict) and value:
        items = list(value.items() if isinstance(value, dict) else enumerate(value))
        for index, (key, item) in enumerate(items):
            loop = {"@index": index, "@key": key, "@first": index == 0, "@last": index == len(items) - 1}
            yield from _render(block.body, _Scope(scope.whole, item, loop, scope.budget))
    elif block.kind != "each" and is_there != (block.kind == "unless"):
        inner = _Scope(scope.whole, value, scope.loop, scope.budget) if block.kind == "with" else scope
        yield from _render(block.body, inner)
    else:
        yield from _render(block.otherwise or (), scope)


def _look_up(path: tuple[str, ...], scope: _Scope) -> Any:
    head, *steps = path
    if head.startswith("@"):
        return scope.loop.get(head)
    if head in ("this", "."):
        return _walk(scope.this, steps)
    if head == "_source":
        flat_name = ".".join(steps)
        return scope.whole[flat_name] if flat_name in scope.whole else _walk(scope.whole, steps)
    return _walk(scope.this, path)
