"""JSON by msgspec, which reads and writes it several times as fast as Python's own, with the same values and the same text.

Content hashes and landings are made of that text, so it must never depend on who wrote it. Where the two could differ, Python's
own does the work: for NaN and infinities, for numbers that it writes with an exponent, for half an emoji, and for integers
beyond 64 bits. What is given has the types of JSON alone.
https://msgspec.dev/supported-types
"""

import json
import re
from json.encoder import encode_basestring_ascii
from typing import Any

import msgspec

_plain = msgspec.json.Encoder().encode
_sorted = msgspec.json.Encoder(order="deterministic").encode
_packed = msgspec.msgpack.Encoder().encode
_read = msgspec.json.Decoder().decode
# A number with a fraction is nine bytes in MessagePack: 0xcb, and its bits as IEEE 754 has them. Found is any that is not 0 and
# not of at least 2**-13 and less than 2**53 in size, which are written alike, and now and then a text that looks like one.
ODD_NUMBER = re.compile(
    rb"\xcb(?![\x3f\xbf][\x20-\xff]|[\x40-\x42\xc0-\xc2]|[\x43\xc3][\x00-\x3f]"
    rb"|[\x00\x80]\x00{7})",
    re.DOTALL,
)
ESCAPED = re.compile(r"[^ -~]+")
# What msgspec raises of JSON that it does not take.
NOT_TAKEN = (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError)


def loads(text: str | bytes) -> Any:
    """What `json.loads` returns or raises."""
    try:
        return _read(text)
    except NOT_TAKEN:
        return json.loads(text)


def dumps(value: Any, *, sort_keys: bool = False, allow_nan: bool = True) -> str:
    """What `json.dumps` returns or raises, without spaces."""
    try:
        if not has_odd_number(value):
            return _ascii((_sorted if sort_keys else _plain)(value))
    except NOT_TAKEN:
        pass
    return json.dumps(value, separators=(",", ":"), sort_keys=sort_keys, allow_nan=allow_nan)


def as_utf8(value: Any) -> bytes | None:
    """`value` as JSON in UTF-8 that every reader takes; None where it has something that such JSON has not."""
    try:
        return None if has_odd_number(value) else _plain(value)
    except NOT_TAKEN:
        return None


def has_odd_number(value: Any) -> bool:
    """Whether a number in it is written otherwise than by Python; it is also said of some texts.

    Raises `OverflowError` for an integer beyond 64 bits, and another of `NOT_TAKEN` for what cannot be told.
    """
    return ODD_NUMBER.search(_packed(value)) is not None


def has_wide_integer(value: Any) -> bool:
    """Whether an integer beyond 64 bits is in it."""
    try:
        _packed(value)
    except NOT_TAKEN:
        return True
    return False


def _ascii(text: bytes) -> str:
    """Python's escapes in the place of what is not ASCII."""
    if b"\x7f" not in text:
        if text.isascii():
            return text.decode()
        if rb"\\x" not in text and rb"\\U" not in text:
            escaped = text.decode().encode("ascii", "backslashreplace")
            # Beyond the first 65,536 characters JSON has two escapes.
            if rb"\U" not in escaped:
                return escaped.replace(rb"\x", rb"\u00").decode()
    return ESCAPED.sub(lambda found: encode_basestring_ascii(found[0])[1:-1], text.decode())
