"""JSON by msgspec is Python's own JSON: content hashes and landings that are there already stay what they are."""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reporting.ingest.landing import lines as landing
from reporting.sources import fast_json
from reporting.sources.base import Page, Record, digest_of
from reporting.sources.notion import properties as notion
from reporting.sources.shapes import repaired

# Half of a pair, which JSON can name, signs with an escape of their own, and what looks like an escape.
ODD_TEXTS = (
    "\ud800",
    "\udc00x",
    "\ud83d",
    "😀",
    "é",
    "\x7f",
    "\x00\x1f\b\f\n\r\t",
    '\\"/',
    "\u2028",
    "\\x41",
    "\\U0001",
    "\\xé",
)
ODD_NUMBERS = (
    2**63,
    -(2**63),
    -(2**63) - 1,
    2**64 - 1,
    2**64,
    10**400,
    1e16,
    1e-5,
    1.5e-7,
    2**53 - 0.5,
    2.0**53,
    2**-13,
    -0.0,
    5e-324,
    1e308,
)
texts = st.one_of(st.text(), st.text(st.characters()), st.sampled_from(ODD_TEXTS))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.floats(-1e17, 1e17),
    st.floats(-1e-3, 1e-3),
    st.sampled_from(ODD_NUMBERS),
    texts,
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(texts, values, max_size=5)
AT = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)


def outcome(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What is returned, or the name of what is raised; a NaN is no value that equals itself."""
    try:
        return repr(function(*arguments, **options))
    except Exception as error:  # noqa: BLE001 (whatever it is, both have to)
        return type(error).__name__


@settings(max_examples=500)
@given(values, st.booleans(), st.booleans())
@example([1e16, 1e-5, 0.1, 123.5], True, True)
@example({"b": "é\\x41", "a": "\\U😀"}, True, True)
def test_the_text_is_that_of_python(value: Any, sort_keys: bool, allow_nan: bool) -> None:
    options = {"sort_keys": sort_keys, "allow_nan": allow_nan}
    expected = outcome(json.dumps, value, separators=(",", ":"), **options)
    assert outcome(fast_json.dumps, value, **options) == expected


@settings(max_examples=500)
@given(values)
def test_a_text_has_the_value_that_it_has_in_python(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=1, ensure_ascii=False)):
        assert outcome(fast_json.loads, text) == outcome(json.loads, text)
        sent = text.encode(errors="surrogatepass")
        assert outcome(fast_json.loads, sent) == outcome(json.loads, sent)


@settings(max_examples=300)
@given(st.text(st.sampled_from('{}[]",:\\0123456789eE.-+ntfau\x01\ud800é \n')))
def test_what_is_no_json_is_none(text: str) -> None:
    assert outcome(fast_json.loads, text) == outcome(json.loads, text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": 2, "a": 3}',
        "1e400",
        "-1e400",
        "NaN",
        "[-Infinity]",
        "-0",
        "123456789012345678901234567890",
        "0.1234567890123456789012",
        '"\\ud800"',
        '"\\ud83d\\ude00"',
        "[" * 200 + "]" * 200,
        "[" * 200_000 + "]" * 200_000,
        "1" * 5000,
        "\ufeff1",
        "01",
        "[1,]",
        '"a\x01b"',
        "",
        " 1 2",
    ],
    ids=lambda text: text[:20],
)
def test_odd_json_is_read_as_python_reads_it(text: str) -> None:
    assert outcome(fast_json.loads, text) == outcome(json.loads, text)
    assert outcome(fast_json.loads, text.encode()) == outcome(json.loads, text.encode())


def test_what_is_no_utf8_is_read_as_python_reads_it() -> None:
    for sent in (
        b'"\xff"',
        b'"\xed\xa0\x80"',
        '"é"'.encode("utf-16"),
        b"\xef\xbb\xbf1",
        b'"\xc3"',
        b'"\xc0\x80"',
    ):
        assert outcome(fast_json.loads, sent) == outcome(json.loads, sent)


@given(values)
def test_text_in_utf8_has_no_value_that_json_lacks(value: Any) -> None:
    text = fast_json.as_utf8(value)
    if text is not None:
        assert repr(json.loads(text)) == repr(value)
        assert repr(repaired(value)) == repr(value)


def test_plain_records_take_the_short_way() -> None:
    for value in ({"a": [1, 0.5, None, True, "é", "😀"]}, {"n": 2**63, "m": -1.25e3}):
        assert fast_json.as_utf8(value) is not None
    for value in ([float("nan")], [float("-inf")], ["\ud800"], [2**64]):
        assert fast_json.as_utf8(value) is None


def former_digest(content: Any, row_version: int) -> str:
    text = json.dumps([row_version, content], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def former_without_signatures(value: Any) -> Any:
    if isinstance(value, dict):
        if "expiry_time" in value and isinstance(value.get("url"), str):
            return {"url": re.split("[?#]", value["url"], maxsplit=1)[0]}
        return {key: former_without_signatures(item) for key, item in value.items() if key != "request_id"}
    if isinstance(value, list):
        return [former_without_signatures(item) for item in value]
    return value


@settings(max_examples=300)
@given(objects)
def test_a_content_hash_is_the_former_one(content: Any) -> None:
    assert digest_of(content, 3) == former_digest(content, 3)


files = st.fixed_dictionaries(
    {"url": st.sampled_from(("https://example.com/a?signed=1#x", "https://example.com/b", 7, None))},
    optional={"expiry_time": scalars, "name": texts, "request_id": scalars},
)
with_files = st.recursive(
    st.one_of(scalars, files, st.sampled_from(("expiry_time", '"request_id"'))),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.one_of(texts, st.just("request_id")), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.dictionaries(texts, with_files, max_size=3), st.dictionaries(texts, with_files, max_size=2))
def test_a_page_of_notion_has_its_former_hash(payload: Any, whole: Any) -> None:
    content = {"payload": former_without_signatures(payload), "values": former_without_signatures(whole)}
    assert notion.content_hash(Record(payload, whole)) == former_digest(content, notion.ROW_VERSION)


def former_line(record: Record) -> str:
    values = {"values": record.values} if record.values else {}
    content = {"requested_at": AT.isoformat(), "payload": record.payload, **values}
    try:
        return json.dumps(content, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(repaired(content), separators=(",", ":"), allow_nan=False)


def formerly_kept(line: str) -> tuple[Any, Any]:
    def storable(digits: str) -> int | float:
        number = int(digits)
        return number if -(2**63) <= number < 2**64 else float(digits)

    kept = json.loads(line, parse_int=storable)
    return kept["payload"], kept.get("values", {})


@settings(max_examples=300)
@given(st.dictionaries(texts, values, max_size=4), st.dictionaries(texts, values, max_size=2))
def test_a_landing_gives_back_what_it_did(payload: Any, whole: Any) -> None:
    record = Record(payload, whole)
    try:
        former = former_line(record)
        expected = formerly_kept(former)
    except OverflowError:
        # An integer that no float comes near: neither way has a number for it.
        with pytest.raises(OverflowError):
            list(landing.as_kept(Page(AT, (record,))))
        return
    # A landing of the version before is read as it was, and so is one of this version.
    (page,) = landing.as_kept(Page(AT, (record,)))
    for kept in (landing.page_of(former), landing.page_of(former.encode()), page):
        assert kept.requested_at == AT
        assert repr((kept.records[0].payload, kept.records[0].values)) == repr(expected)
        assert digest_of(kept.records[0].payload, 1) == former_digest(expected[0], 1)
