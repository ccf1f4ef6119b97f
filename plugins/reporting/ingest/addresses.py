"""E-mail addresses in records: finding them in any value, and the key under which every spelling of one address is the same.

Erasing a person and the suppression list are built on these keys, and the hashes of earlier lists on their former spellings.
"""

import html
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

# The parts before and after the @ of an address. Nearly every character is allowed in a name. Punctuation that a text puts in
# front of an address is removed again; an apostrophe within the name belongs to it.
MAILBOX = re.compile(
    r"[^\s<>()\[\]{}\"\u201c-\u201f\u00ab\u00bb\u2039\u203a,;:|\\\u200b-\u200f\u2060-\u2064\ufeff]+\Z"
)
BEFORE_MAILBOX = re.compile(r"\A[^\w+.]+")
# Vowels of many scripts are marks, which are no letters to Python.
MARKS = "".join(each for each in map(chr, range(0x300, 0x10000)) if unicodedata.category(each)[0] == "M")
DOMAIN = re.compile(rf"[\w.{MARKS}-]+")
FORMER_DOMAIN = re.compile(r"[\w.-]+")
# Scripts that put no space between words, with their punctuation and letters of full width.
UNSPACED = re.compile(
    "[\u0e00-\u0e7f\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]"
)
# What stands around the @ where somebody has typed blanks there, or copied what nobody sees; and around full stops, behind which
# telephones put one.
UNSEEN = r"[\s\u200b-\u200f\u2060-\u2064\ufeff]*"
AROUND_AT = re.compile(f"{UNSEEN}@{UNSEEN}")
AROUND_SIGNS = re.compile(f"{UNSEEN}([@.]){UNSEEN}")
# No mailbox is longer, and so a text is looked through once, however long it is.
LONGEST_MAILBOX = 256
# What a field for addresses may hold.
LONGEST_LIST = 2_000
GMAIL = ("gmail.com", "googlemail.com")


def email_key(address: str) -> str:
    """Normalise an address, so that different spellings of one mailbox are equal. The macro of the same name in
    dbt/macros/people.sql explains the rules.

    What nothing would be left of is compared as it is: `+4930111@fax.example.net` is that number and no other. A domain is
    read as it is meant, since `xn--bcher-kva.example` is how a mail server writes `bücher.example`.
    """
    former = former_email_key(address)
    return _mailbox_and_domain(address) if former.startswith("@") else former


def former_email_key(address: str) -> str:
    """The key under which earlier versions listed an address with nothing left before the @: `@fax.example.net`."""
    mailbox, _, domain = _mailbox_and_domain(address).partition("@")
    mailbox = mailbox.partition("+")[0]
    if domain in GMAIL:
        return f"{mailbox.replace('.', '')}@gmail.com"
    return f"{mailbox}@{domain}"


def _mailbox_and_domain(address: str) -> str:
    text = unicodedata.normalize("NFC", address.strip().lower().rstrip("."))
    mailbox, at, domain = text.rpartition("@")
    return f"{mailbox}{at}{_domain(domain)}"


def _domain(domain: str) -> str:
    """A domain in its own script; as it is where it is none (RFC 5890)."""
    if domain.isascii() and "xn--" not in domain:
        return domain
    # Few have one, and most commands need none.
    import idna

    try:
        return idna.decode(domain, uts46=True)
    except idna.IDNAError:
        return domain


def spellings_of(key: str) -> Iterator[str]:
    """The key, and how an earlier version has kept the same address: a domain as a mail server writes it, letters in parts."""
    yield key
    if key.isascii() or not key.startswith("email "):
        return
    import idna

    mailbox, _, domain = key.rpartition("@")
    domains = [domain]
    with suppress(idna.IDNAError):
        domains.append(idna.encode(domain).decode())
    yield from (
        unicodedata.normalize(form, f"{mailbox}@{each}") for each in domains for form in ("NFC", "NFD")
    )


def former_email_keys(address: str) -> Iterator[str]:
    """The shortened keys under which a purge of an earlier version may have listed this address.

    Of one like `+4930111@fax.example.net` that was its domain, of `o'brien@example.org` what stands behind the apostrophe, and
    of a domain what stands before its first mark.
    """
    if address.startswith(("+", ".")):
        yield former_email_key(address)
    if "'" in address and (rest := address.rpartition("'")[2]) and not rest.startswith("@"):
        yield email_key(rest)
    mailbox, _, domain = address.rpartition("@")
    if (begins := FORMER_DOMAIN.match(domain)) and begins[0] != domain:
        yield f"{mailbox}@{begins[0].strip('._-')}"


def address_key(address: str) -> str:
    """The text that is hashed for an e-mail address."""
    return f"email {email_key(address)}"


def addresses_in(value: Any) -> Iterator[str]:
    """All normalised e-mail addresses in the texts of `value`, including texts within JSON.

    Behind `/` or `=` one begins too, as in the address of a page, and behind a word of a script that has no spaces; before such
    a word one ends. All readings are told then.
    """
    for text in texts_in(value):
        for reading in _readings(_written_out(text)):
            before, *behind = reading.split("@")
            for after in behind:
                mailbox, domain = MAILBOX.search(before[-LONGEST_MAILBOX:]), DOMAIN.match(after)
                before = after
                if mailbox is None or domain is None:
                    continue
                ends = (re.split("[/=]", mailbox[0])[-1], UNSPACED.split(mailbox[0])[-1])
                names = dict.fromkeys(BEFORE_MAILBOX.sub("", each) for each in (mailbox[0], *ends))
                hosts = dict.fromkeys(each.strip("._-") for each in (domain[0], UNSPACED.split(domain[0])[0]))
                yield from (email_key(f"{name}@{host}") for name in names for host in hosts if name and host)


def addresses_in_field(text: str) -> Iterator[str]:
    """The addresses in a field for them, as the macro email_address in dbt/macros/people.sql reads them.

    Where nothing else is there, `ann. smith@example.com` is Ann Smith's; in a sentence it would be another Smith's.
    """
    for each in re.split("[;,]", text):
        inner = re.search("<([^<>]+)>", each)
        joined = AROUND_SIGNS.sub(r"\1", (inner[1] if inner else each).strip()).rstrip(".")
        yield from addresses_in(joined if re.fullmatch(r"[^@\s]+@[^@\s]+", joined) else each)


def _readings(text: str) -> Iterator[str]:
    """The text, and each address of a list in which somebody has put blanks around the @: `ann @ example.com`.

    In a sentence nobody can tell where such a one begins.
    """
    if "@" not in text:
        return
    # Each letter as one sign.
    text = unicodedata.normalize("NFC", text)
    yield text
    if len(text) <= LONGEST_LIST:
        for each in re.split("[;,]", text):
            joined = AROUND_AT.sub("@", each.strip())
            if joined != each.strip() and re.fullmatch(r"\S+@\S+", joined):
                yield joined


def _written_out(text: str) -> str:
    """`text` with the escapes of HTML and of addresses of pages decoded."""
    if "&" in text:
        text = html.unescape(text)
    return unquote(text) if "%40" in text else text


def texts_in(value: Any) -> Iterator[str]:
    """Every text in `value`, however deep; of a text that is JSON, those within. A key is one where it is no plain name."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, str):
            inner = _json_in(each)
            if inner is None or inner == each:
                yield each
            else:
                left.append(inner)
        elif isinstance(each, Mapping):
            left += reversed(list(each.values()))
            left += (key for key in each if isinstance(key, str) and not key.isidentifier())
        elif isinstance(each, list | tuple):
            left += reversed(each)


def _json_in(text: str) -> Any:
    """Parse `text` as JSON; None if it is not JSON, or is nested more deeply than the parser allows."""
    if text[:1] not in ("{", "[", '"'):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
