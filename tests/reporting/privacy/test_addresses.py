"""What the search for a person takes for an e-mail address, in whatever somebody wrote or was sent."""

import time
from datetime import UTC, datetime

import pytest

from reporting.ingest import suppression
from reporting.ingest.addresses import address_key, addresses_in, addresses_in_field, email_key, texts_in
from reporting.sources.base import Record

ANN = "ann@example.com"


@pytest.mark.parametrize(
    "text",
    [
        "Did you write to ann@example.com?",
        "Ask ann@example.com!",
        "On Mon, Ann &lt;ann@example.com&gt; wrote:",
        '<a href="mailto:ann@example.com?subject=Hi">',
        '<a href="mailto:ann%40example.com">',
        "ann&#64;example.com",
        "https://example.org/unsubscribe?email=ann@example.com&list=7",
        "https://example.org/people/ann@example.com/edit",
        "**ann@example.com**",
        "bob@example.com/ann@example.com",
        "\u201cann@example.com\u201d",
        "Mail: ann@example.com\u2026",
        "'ann@example.com'",
        "ann@example.com\u200b",
        "\ufeffann@example.com",
        "ann @ example.com",
        "bob@example.com; Ann\u00a0@\u200bexample.com ;",
        "\u30e1\u30fc\u30eb\uff1aann@example.com\u3078\u9023\u7d61",
        "\u9023\u7d61ann@example.com",
        '{"ann@example.com": {"opens": 3}}',
    ],
)
def test_an_address_is_found_however_a_text_surrounds_it(text: str) -> None:
    assert ANN in set(addresses_in(text))


def test_an_apostrophe_makes_it_another_persons_address() -> None:
    assert set(addresses_in("o'brien@example.com")) == {"o'brien@example.com"}
    assert set(addresses_in(["r&d@example.com", "r&amp;d@example.com"])) == {"r&d@example.com"}


@pytest.mark.parametrize(
    "text", ["Lunch with ann @ example.com", "Ask Bob @ ann @ example.com", "ann @ work", "@ example.com"]
)
def test_where_an_address_begins_that_is_no_whole_field_nobody_can_tell(text: str) -> None:
    assert ANN not in set(addresses_in(text))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ann @ example.com", [ANN]),
        ("ann. smith@example.com", ["ann.smith@example.com"]),
        ("Ann Smith <ann .smith @ example. com >", ["ann.smith@example.com"]),
        ("mailto:ann@example.com.", [ANN]),
        ("ann@example.com; bob. smith@example.com,", [ANN, "bob.smith@example.com"]),
        ("ask Ann: ann@example.com", [ANN]),
        ("ann", []),
        ("", []),
    ],
)
def test_a_field_for_addresses_is_read_as_people_are_compared_by_it(typed: str, meant: list[str]) -> None:
    assert list(addresses_in_field(typed)) == meant


def test_a_key_that_is_an_address_is_found() -> None:
    payload = {"properties": {"opens": {"Ann <ann@example.com>": 3}, "names": {"Ann Bell": None}, "plain": 1}}
    assert set(addresses_in(payload)) == {ANN}
    assert list(texts_in(payload)) == ["Ann <ann@example.com>", "Ann Bell"]


SAME_DOMAIN = (
    "b\u00fccher.example",
    "bu\u0308cher.example",
    "xn--bcher-kva.example",
    "XN--BCHER-KVA.example.",
)


@pytest.mark.parametrize("one", SAME_DOMAIN)
@pytest.mark.parametrize("other", SAME_DOMAIN)
def test_a_domain_is_one_however_it_is_written(one: str, other: str) -> None:
    assert email_key(f"Ann@{one}") == email_key(f"ann@{other}")
    assert email_key(f"ann@{one}") in set(addresses_in(f"From: ann@{other}"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fa\u00df.example", "fass.example"),
        ("\u0939\u093f\u0928\u094d\u0926\u0940.example", "\u0939\u093f\u092e.example"),
        ("xn--zzz.example", "zzz.example"),
    ],
)
def test_another_domain_is_anothers(one: str, other: str) -> None:
    assert set(addresses_in(f"ann@{one}")).isdisjoint(addresses_in(f"ann@{other}"))


@pytest.mark.parametrize(
    "noted", ["ann@b\u00fccher.example", "ann@bu\u0308cher.example", "ann@xn--bcher-kva.example"]
)
@pytest.mark.parametrize("met", SAME_DOMAIN)
def test_who_was_purged_by_an_earlier_version_stays_away_however_the_domain_is_written(
    noted: str, met: str
) -> None:
    # An earlier version hashed it as it was typed.
    keys = suppression.hashed([f"email {noted}"], "purge-1", datetime(2026, 11, 29, tzinfo=UTC))
    assert suppression.Matcher(keys).holds_address({"from": f"Ann <ann@{met}>"})
    assert not suppression.Matcher(keys).holds_address({"from": "ann@bucher.example"})


def test_whose_domain_was_cut_at_a_mark_is_doubtful_and_hides_nobody_else() -> None:
    keys = suppression.hashed(["email ann@\u0939"], "purge-1", datetime(2026, 11, 29, tzinfo=UTC))
    for domain in ("\u0939\u093f\u0928\u094d\u0926\u0940.example", "\u0939\u093f\u092e.example"):
        assert not suppression.Matcher(keys).holds_address(f"ann@{domain}")
        assert suppression.Matcher(keys).may_hold_address(f"ann@{domain}")


def test_who_has_an_apostrophe_is_named_by_the_whole_address() -> None:
    assert email_key("O'Brien@example.com") in set(addresses_in({"email": "O'Brien@example.com"}))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 3_000 + f'"{ANN}"' + "]" * 3_000])
def test_lists_within_lists_that_somebody_sends_end_no_search(text: str) -> None:
    assert list(texts_in({"hs_email_text": text, "hs_email_subject": "x"}))[-1] == "x"
    assert set(addresses_in(text)) <= {ANN}


def test_a_picture_within_a_text_is_looked_through_once() -> None:
    text = f'<img src="data:image/png;base64,{"iVBORw0KGgo/+A" * 20_000}">{ANN}' * 2
    begun_at = time.process_time()
    assert ANN in set(addresses_in(text))
    # Looked through from each of its signs, it took minutes.
    assert time.process_time() - begun_at < 5


def test_an_email_that_quotes_who_was_erased_is_left_out() -> None:
    keys = suppression.hashed([address_key(ANN)], "purge-1", datetime(2026, 11, 29, tzinfo=UTC))
    payload = {"id": "1", "properties": {"hs_email_html": "Ann &lt;Ann@example.com&gt; wrote: ..."}}
    assert suppression.Matcher(keys).holds("hubspot__emails", Record(payload))
