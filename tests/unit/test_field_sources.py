"""The sources of fields: accessors, and the part of Handlebars that AWS documents."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.errors import InvalidRequest
from openprofiles.objects.field_sources import SourceError, compile_source
from openprofiles.objects.object_text import parse_object

OBJECT = {
    "id": 7,
    "first": "Ada",
    "address": {"city": "London", "lines": ["1 Main St", "Flat 2"]},
    "flat.member": "flat",
    "flat": {"member": "nested"},
    "items": [{"title": "A", "price": 1.5}, {"price": 2}, {"title": " "}],
    "yes": True,
    "no": False,
    "zero": 0,
    "blank": "  ",
    "nothing": None,
    "empty": [],
    "segment": [{"bag": {"heavy": True}}, {"bag": {"heavy": False}}],
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("_source.first", "Ada"),
        ("_source.id", "7"),
        ("_source.address.city", "London"),
        ("_source.address.lines.1", "Flat 2"),
        ("_source.address.lines.7", None),
        ("_source.address", '{"city":"London","lines":["1 Main St","Flat 2"]}'),
        ("_source.flat.member", "flat"),
        ("_source.absent.city", None),
        ("_source.first.more", None),
        ("_source.yes", "true"),
        ("_source.no", "false"),
        ("_source.blank", None),
        ("_source.nothing", None),
        ("_source.segment.bag.heavy", "true"),
        ("_source.items[].title", ["A", None, None]),
        ("_source.items[].price", ["1.5", "2", None]),
        ("_source.empty[].title", None),
        ("_source.first[].title", None),
        ("{{_source.first}} {{_source.absent}}", "Ada "),
        ("{{#removeExtraSpace}} {{_source.first}}  {{_source.absent}} {{/removeExtraSpace}}", "Ada"),
        ("{{{_source.first}}}", "Ada"),
        ("{{first}}", "Ada"),
        ("{{_source.flat.member}}", "flat"),
        ("{{#if _source.yes}}A{{else}}B{{/if}}", "A"),
        ("{{#if _source.no}}A{{else}}B{{/if}}", "B"),
        ("{{#if _source.zero}}A{{else}}B{{/if}}", "B"),
        ("{{#if _source.empty}}A{{else}}B{{/if}}", "B"),
        ("{{#if _source.absent}}A{{/if}}", None),
        ("{{#unless _source.absent}}Website{{/unless}}", "Website"),
        ("{{#removeExtraSpace}} Website {{/removeExtraSpace}}", "Website"),
        ("{{#with _source.address}}{{city}}/{{_source.first}}{{/with}}", "London/Ada"),
        ("{{#with _source.absent}}{{city}}{{else}}nowhere{{/with}}", "nowhere"),
        (
            "{{#each _source.address.lines}}{{@index}}:{{this}}{{#unless @last}}, {{/unless}}{{/each}}",
            "0:1 Main St, 1:Flat 2",
        ),
        ("{{#each _source.items}}{{title}}{{price}};{{/each}}", "A1.5;2; ;"),
        ("{{#each _source.flat}}{{@key}}={{.}}{{/each}}", "member=nested"),
        ("{{#each _source.empty}}x{{else}}none{{/each}}", "none"),
        ("{{_source.items.[0].title}}{{_source.address.lines[1]}}", "AFlat 2"),
    ],
)
def test_a_source_reads_its_value(source: str, value: object) -> None:
    assert compile_source(source)(OBJECT) == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("source.a", "must begin with _source."),
        ("_source.", "empty step"),
        ("_source..a", "empty step"),
        ("_source.[].a", "empty step"),
        ("", "must begin with _source."),
        ("{{#if _source.a}}x", "leaves the block if open"),
        ("{{#foo}}{{/foo}}", "Supported blocks are if, unless, each, with and removeExtraSpace"),
        ("{{/if}}", "closes the block if"),
        ("{{#if _source.a}}{{/each}}", "closes the block each"),
        ("{{else}}", "else that belongs to no block"),
        ("{{#if a}}{{else}}{{else}}{{/if}}", "else that belongs to no block"),
        ("{{#if}}x{{/if}}", "empty expression"),
        ("{{}}", "empty expression"),
        ("{{lookup _source.a 'b'}}", "not a path"),
        ("{{! a comment }}", "not a path"),
        ("{{../a}}", "not a path"),
        ("{{_source.a}", "braces"),
        ("a }} b", "braces"),
        ("{{{_source.a}}", "three braces"),
        ("{{#removeExtraSpace a}}{{/removeExtraSpace}}", "stands alone"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused_without_quoting_it(source: str, message: str) -> None:
    with pytest.raises(SourceError, match=r"^Source") as error:
        compile_source(source)

    assert message in str(error.value)


@given(st.text(alphabet="{}#/._[] abelsiftchwuno@\n", max_size=60))
def test_any_source_is_compiled_or_refused(text: str) -> None:
    try:
        read = compile_source(text)
    except SourceError:
        return

    assert read(OBJECT) is None or isinstance(read(OBJECT), str | list)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("449.00", "449.0"),
        ("1e3", "1000.0"),
        ("0.1", "0.1"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("9007199254740993", "9007199254740993"),
        ("1e400", "1e400"),
        ("9" * 5000, "9" * 5000),
        ('"caf\\u00e9"', "café"),
        ('{"a": [1, 2.50, true, null]}', '{"a":[1,2.5,true,null]}'),
    ],
)
def test_the_text_of_a_number_loses_no_digit_that_counts(text: str, value: str) -> None:
    assert compile_source("_source.a")(parse_object(f'{{"a": {text}}}')) == value


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_reads_back_the_same(number: float) -> None:
    text = compile_source("_source.a")(parse_object(json.dumps({"a": number})))

    assert json.loads(str(text)) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Could not parse object string into JSON"),
        ("{", "Could not parse object string into JSON"),
        ('{"a": NaN}', "Could not parse object string into JSON"),
        ('{"a": Infinity}', "Could not parse object string into JSON"),
        ('{"a": "\n"}', "Could not parse object string into JSON"),
        ("[" * 100_000, "Could not parse object string into JSON"),
        ("[1]", "must be a JSON object"),
        ('"x"', "must be a JSON object"),
        ('{"a": "' + "x" * 256_000 + '"}', "larger than 256000 bytes"),
        ('{"a": "' + "ü" * 128_000 + '"}', "larger than 256000 bytes"),
    ],
    ids=range(10),
)
def test_a_text_that_is_not_an_object_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse_object(text)
