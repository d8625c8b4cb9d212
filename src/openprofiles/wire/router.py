"""Find the operation of a request, in a tree of the segments of the raw path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

from openprofiles.wire.model import Model, Operation, UnsupportedModel


class Router:
    """Finds the operation by method and path.

    Segments are compared as they stand in the request line, still percent-encoded: a tag ARN holds slashes, which
    arrive as ``%2F`` in one segment. Labels come back encoded too; the codec decodes them.

    Raises:
        UnsupportedModel: one request could be for two operations.
    """

    def __init__(self, model: Model) -> None:
        _refuse_overlaps(model)
        self._roots: dict[str, _Node] = {}
        for operation in model.operations.values():
            node = self._roots.setdefault(operation.method, _Node())
            for segment in _split(operation.path.encode()):
                node = node.grow(segment)
            node.operation = operation

    def match(self, method: str, raw_path: bytes) -> tuple[Operation, Mapping[str, bytes]] | None:
        """Find the operation and its labels; None if the method and path belong to no operation.

        Args:
            method: as sent, in upper case. HEAD is not GET.
            raw_path: the path as sent, without the query.

        A slash at the end is optional (Smithy), except where a label could follow: ``/upload-jobs/`` is what an SDK
        sends for GetUploadJob with an empty JobId, and must not be answered as ListUploadJobs. Empty segments, ``.``
        and ``..`` match nothing.
        """
        root = self._roots.get(method)
        if root is None or not raw_path.startswith(b"/"):
            return None
        segments = _split(raw_path)
        slash_at_end = len(segments) > 1 and segments[-1] == b""
        if slash_at_end:
            segments = segments[:-1]
        if not _UNMATCHABLE.isdisjoint(segments):
            return None
        found = _descend(root, segments, 0)
        if found is None or found.operation is None or (slash_at_end and found.label is not None):
            return None
        template = _split(found.operation.path.encode())
        labels = {
            part[1:-1].decode(): segment
            for part, segment in zip(template, segments, strict=True)
            if part.startswith(b"{")
        }
        return found.operation, labels


_UNMATCHABLE = frozenset((b"", b".", b".."))


@dataclass(slots=True)
class _Node:
    """A place in the tree of one method: the literal segments that may follow, a label that may, and who ends here."""

    literals: dict[bytes, _Node] = field(default_factory=dict)
    label: _Node | None = None
    operation: Operation | None = None

    def grow(self, segment: bytes) -> _Node:
        if not segment.startswith(b"{"):
            return self.literals.setdefault(segment, _Node())
        if self.label is None:
            self.label = _Node()
        return self.label


def _descend(node: _Node, segments: list[bytes], depth: int) -> _Node | None:
    if depth == len(segments):
        return node if node.operation else None
    literal = node.literals.get(segments[depth])
    found = _descend(literal, segments, depth + 1) if literal else None
    if found is None and node.label is not None:
        return _descend(node.label, segments, depth + 1)
    return found


def _split(path: bytes) -> list[bytes]:
    return path.split(b"/")[1:]


def _refuse_overlaps(model: Model) -> None:
    for one, other in combinations(model.operations.values(), 2):
        ours, theirs = _split(one.path.encode()), _split(other.path.encode())
        if one.method != other.method or len(ours) != len(theirs):
            continue
        if all(a == b or a.startswith(b"{") or b.startswith(b"{") for a, b in zip(ours, theirs, strict=True)):
            raise UnsupportedModel(f"{one.name} and {other.name} can match the same request: {one.path}, {other.path}.")
