"""Find out whether parts of a file have different encodings, as where files of different programs were joined.

Read in the encoding of one part, the others have wrong letters, or none that is valid. So the words that have strange
letters in the detected encoding are tried in the others. If a part of the file in which these words follow each other
is clearly likelier in another encoding, the parts have different ones. In favour of one encoding, each of its words may
be in another language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openprofiles.uploads.reading.detect_encoding import EncodingsMixed, guess_encoding, with_examples
from openprofiles.uploads.reading.encoding_likelihood import (
    encodings,
    find_strange_words,
    prior,
    score_encodings,
    score_words,
)
from openprofiles.uploads.reading.file_form import UTF_8, canonical_encoding

_MOST_STRANGE_WORDS = 100
# How much likelier the part must be in the other encoding, as a logarithm, and how many words it must have.
_CLEAR = 14.0
_FEWEST_WORDS = 3
_FEWEST_UTF_8_WORDS = 2


def refuse_mixed_encodings(lines: Mapping[bytes, int], encoding: str) -> None:
    """Refuse a file whose parts have different encodings.

    Args:
        lines: the words with bytes beyond ASCII, in the order of the file, with the line of each.
        encoding: the likeliest one of the file.

    Raises:
        EncodingsMixed: they have.
    """
    words = list(lines)
    codec = next((name for name in encodings() if canonical_encoding(name) == encoding), None)
    if codec is None or len(words) < _FEWEST_WORDS:
        return
    strange = find_strange_words(words, codec)
    if len(strange) < _FEWEST_UTF_8_WORDS:
        return
    scores = [max(one) for one in zip(*score_words(words, codec), strict=True)]
    for other, part in (
        (UTF_8, _find_utf_8(words, scores)),
        _find_part(words, scores, codec, [words[number] for number in strange[:_MOST_STRANGE_WORDS]]),
    ):
        if part:
            in_part = [words[number] for number in part]
            rest = [word for word in words if word not in set(in_part)]
            # Without these words, another encoding may be the likeliest.
            of_rest = guess_encoding(rest).candidates[0].encoding if rest else encoding
            parts = [(of_rest, rest or words), (other, in_part)]
            # Each with words of its own part.
            found = [
                (with_examples([(name, b"\n".join(own).decode(name, "replace"))])[0], lines[own[0]])
                for name, own in parts
            ]
            raise EncodingsMixed(sorted(found, key=lambda one: one[1]))


def _find_utf_8(words: Sequence[bytes], scores: Sequence[float]) -> list[int]:
    """Find the words that are UTF-8, if they are likelier so."""
    found = [number for number, word in enumerate(words) if _is_utf_8(word)]
    if len(found) < _FEWEST_UTF_8_WORDS:
        return []
    best = max(map(sum, score_words([words[number] for number in found], UTF_8)))
    return found if best - sum(scores[number] for number in found) >= _CLEAR else []


def _is_utf_8(word: bytes) -> bool:
    try:
        word.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _find_part(
    words: Sequence[bytes], scores: Sequence[float], codec: str, strange: Sequence[bytes]
) -> tuple[str, range]:
    """Find the encoding of the strange words, and a part that clearly has it."""
    scored = score_encodings(strange, encodings(), None)
    other = max(scored, key=lambda name: scored[name][0])
    if scored[other][1] == scored[codec][1]:
        return other, range(0)
    in_languages = score_words(words, other)
    of_strange = [number for number, word in enumerate(words) if word in set(strange)]
    best_language = max(in_languages, key=lambda one: sum(one[number] for number in of_strange))
    gain, part = _find_best_part([new - old for new, old in zip(best_language, scores, strict=True)])
    is_clear = gain + prior(other) - prior(codec) >= _CLEAR and len(part) >= _FEWEST_WORDS
    return other, part if is_clear else range(0)


def _find_best_part(gains: Sequence[float]) -> tuple[float, range]:
    """Find the numbers in succession with the highest sum."""
    best, part = 0.0, range(0)
    total, start = 0.0, 0
    for number, gain in enumerate(gains):
        if total <= 0:
            total, start = 0.0, number
        total += gain
        if total > best:
            best, part = total, range(start, number + 1)
    return best, part
