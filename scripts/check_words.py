"""Check that messages, pages, documents and docstrings use plain English.

CONTRIBUTING.md has the rules. A program can check two of them: some expressions are never used (``EXPRESSIONS``), and
the docstring of a function begins with a verb in the imperative (``docstring_verbs.txt``; add one that is missing) and
its first sentence has at most 15 words.

Exit status 1 and one line for each place that breaks a rule. ``words_allowed.txt`` lists the exceptions; an entry
that no longer matches anything is an error too, so the list can only shrink.
"""

import argparse
import ast
import fnmatch
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = ROOT / "scripts" / "words_allowed.txt"
MOST_ALLOWED = 30
MOST_WORDS_IN_FIRST_SENTENCE = 15

EXPRESSIONS = {
    r"(?<!here )\b(is|are|was|were) none\b(?! of)": 'write "is not a valid ..."',
    r"(?<!here )\b(is|are|was|were) no (?!longer\b|more than\b|less than\b)": 'write "is not a" or "there is no"',
    r"\bnone of (the|those|them|its)\b": 'write "not one of ..." or "no ..."',
    r"\b(told|tells?|telling)\b": "write report, print or show",
    r"\bwho(m|so)?ever\b": "name the actor",
    r"\bbeside\b": 'write "next to" or "in addition to"',
    r"\bbut for\b": 'write "except"',
    r"\baffair\b": "write the longer sentence",
    r"\bso be it\b": "write the longer sentence",
    r"\bshall\b": 'write "must" or "will"',
    r"\bhence\b": 'write "so"',
    r"\bthereby\b": "leave it out",
    r"\bmeanwhile\b": 'write "in the meantime" or name the time',
    r"\b(take|takes|taken|taking|took)( \w+){0,3} back\b": 'write "undo"',
    r"\b(go|goes|going|gone|went) on\b": 'write "continue"',
    r"\bmend(s|ed|ing)?\b": 'write "fix"',
    r"\banew\b": 'write "again"',
    r"\blikewise\b": 'write "also" or "in the same way"',
    r"\bin place of\b": 'write "instead of"',
    r"\bso many\b": 'write "this many" or the number',
    r"\b[Ee]-mails?\b": 'write "email"',
    r"\bhad its time\b": 'write "expired"',
    r"\bnothing but\b": 'write "only"',
    r"\bfor good\b": 'write "permanently"',
}

# Modules that the next issues rewrite: their docstrings and comments are checked once that is done, their messages now.
REWRITTEN_SOON = (
    "src/openprofiles/uploads/loading/*",
    "src/openprofiles/store/*bulk*",
)

# Released migrations are never changed. types.py is generated.
LEFT_OUT = ("src/openprofiles/store/migrations/versions/*", "src/openprofiles/wire/types.py", "scripts/check_words.py")

PLAIN_TEXTS = (
    "*.md",
    "docs/*.md",
    "benchmarks/*.md",
    # docs/openapi.yaml is made of these two.
    "scripts/openapi_head.yaml",
    "src/openprofiles/wire/own_model.json",
    "src/openprofiles/server/console/templates/*.html",
    "src/openprofiles/server/console/static/*.js",
)
PYTHON = ("src/**/*.py", "scripts/*.py", "examples/*.py", "benchmarks/*.py")

VERBS = frozenset((ROOT / "scripts" / "docstring_verbs.txt").read_text().split())


@dataclass(frozen=True)
class Place:
    """A part of a file that breaks a rule."""

    path: str
    line: int
    found: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.found!r}: {self.advice}"


def main() -> int:
    """Print each place that breaks a rule."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("paths", nargs="*", help="check these files or folders only, without the list of exceptions")
    chosen = arguments.parse_args().paths
    if chosen:
        wanted = [Path(path).resolve().relative_to(ROOT).as_posix() for path in chosen]
        faults = [place for place in _faults() if any(f"{place.path}/".startswith(f"{path}/") for path in wanted)]
    else:
        faults = _without_allowed(list(_faults()))
    for place in faults:
        print(place)
    if faults:
        print(f'{len(faults)} places are not in plain English. CONTRIBUTING.md has the rules, under "Words".')
    return 1 if faults else 0


def _without_allowed(faults: list[Place]) -> list[Place]:
    """Return the places that no entry of the allow-list covers, and the entries that cover nothing."""
    entries = [line for line in ALLOWED.read_text().splitlines() if line and not line.startswith("#")]
    allowed = {tuple(entry.split(": ", 1)) for entry in entries}
    used = {(place.path, place.found) for place in faults} & allowed
    rest = [place for place in faults if (place.path, place.found) not in allowed]
    own_path = ALLOWED.relative_to(ROOT).as_posix()
    stale = sorted(": ".join(entry) for entry in allowed - used)
    rest += [Place(own_path, 1, entry, "remove this entry, nothing matches it") for entry in stale]
    if len(entries) > MOST_ALLOWED:
        rest.append(Place(own_path, 1, f"{len(entries)} entries", f"at most {MOST_ALLOWED} are allowed"))
    return rest


def _faults() -> Iterator[Place]:
    """Find the places that break a rule, in all files."""
    for path in _files(PLAIN_TEXTS):
        text = (ROOT / path).read_text()
        # "is none" is Jinja's way to compare with None.
        text = re.sub(r"\{[{%].*?[}%]\}", lambda tag: tag.group().replace("is none", "== None"), text, flags=re.DOTALL)
        yield from _expressions(path, 1, text)
    for path in _files(PYTHON):
        source = (ROOT / path).read_text()
        is_rewritten_soon = _matches(path, REWRITTEN_SOON)
        tree = ast.parse(source)
        yield from _strings(path, tree, with_docstrings=not is_rewritten_soon)
        if not is_rewritten_soon:
            yield from _comments(path, source)
            yield from _docstrings(path, tree)


def _files(patterns: tuple[str, ...]) -> list[str]:
    """List the files that match, as paths from the project's folder."""
    found = {file.relative_to(ROOT).as_posix() for pattern in patterns for file in ROOT.glob(pattern)}
    return sorted(path for path in found if not _matches(path, LEFT_OUT))


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def _expressions(path: str, first_line: int, text: str) -> Iterator[Place]:
    """Find the expressions that are never used; a line break counts as a blank."""
    flat = re.sub(r"\s", " ", text)
    for expression, advice in EXPRESSIONS.items():
        for match in re.finditer(expression.replace(" ", r"\s+").replace("here\\s+", "here\\s"), flat):
            line = first_line + text.count("\n", 0, match.start())
            yield Place(path, line, " ".join(match.group().split()), advice)


def _strings(path: str, tree: ast.Module, *, with_docstrings: bool) -> Iterator[Place]:
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) in docstrings and not with_docstrings:
            continue
        yield from _expressions(path, node.lineno, node.value)


def _comments(path: str, source: str) -> Iterator[Place]:
    """Check the comments, those on consecutive lines as one text."""
    text, first_line, last_line = "", 0, -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        words = token.string.lstrip("#").strip()
        line = token.start[0]
        if line == last_line + 1:
            text += "\n" + words
        else:
            yield from _expressions(path, first_line, text)
            text, first_line = words, line
        last_line = line
    yield from _expressions(path, first_line, text)


def _docstrings(path: str, tree: ast.Module) -> Iterator[Place]:
    """Check the first line of each function's docstring."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_property(node):
            continue
        docstring = ast.get_docstring(node)
        if docstring is None:
            continue
        first_line = docstring.split("\n", 1)[0]
        words = re.split(r"[.;:](?:\s|$)", first_line, maxsplit=1)[0].split()
        if not words or words[0].lower().rstrip(":,;.") not in VERBS:
            yield Place(path, node.body[0].lineno, first_line, "begin a docstring with a verb in the imperative")
        elif len(words) > MOST_WORDS_IN_FIRST_SENTENCE:
            advice = f"shorten the first sentence of the docstring to {MOST_WORDS_IN_FIRST_SENTENCE} words"
            yield Place(path, node.body[0].lineno, first_line, advice)


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = [ast.unparse(decorator) for decorator in node.decorator_list]
    return any(name.split(".")[-1] in ("property", "cached_property", "setter") for name in names)


if __name__ == "__main__":
    sys.exit(main())
