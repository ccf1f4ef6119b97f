"""What an e-mail is made of, and how large attachments may be."""

import random
import zipfile
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reporting.mail import summary
from reporting.mail.attachments import TooLargeError, attachments
from reporting.mail.emails import Attachment, Email, compose, message_id
from reporting.mail.rendering import amount
from reporting.mail.server import read_server
from reporting.mail.week import week_before
from reporting.settings import read_settings
from reporting.settings.values import emails

AT = datetime(2026, 11, 23, 6, 13, tzinfo=UTC)


def composed(written: Email, key: str = "key") -> EmailMessage:
    """The e-mail as a mail program parses what travelled."""
    mail = compose(written, key, "Robot <robot@example.org>", ["a@example.org", "b@example.org"], AT)
    parsed = message_from_bytes(bytes(mail), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_an_email_has_text_html_and_attachments() -> None:
    content = "naïve\r\n".encode("utf-8-sig")
    email = Email(
        "Déjà vu\nBcc: x@example.org", "Text ✓\n", "<p>✓</p>", (Attachment("a.csv", "text/csv", content),)
    )
    mail = composed(email)
    assert mail["Subject"] == "Déjà vu Bcc: x@example.org"
    assert "Bcc" not in mail
    assert (mail["From"], mail["To"]) == ("Robot <robot@example.org>", "a@example.org, b@example.org")
    assert mail["Date"].datetime == AT
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content() == "Text ✓\r\n"
    assert html.get_content() == "<p>✓</p>\r\n"
    (file,) = mail.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("a.csv", "text/csv")
    assert file.get_payload(decode=True) == content


def test_the_id_is_the_emails_own_and_stays() -> None:
    assert message_id("a", "Robot <robot@example.org>").endswith("@example.org>")
    assert message_id("a", "robot@example.org") == message_id("a", "Robot <robot@example.org>")
    assert message_id("a", "robot@example.org") != message_id("b", "robot@example.org")
    assert message_id("a", "root").endswith("@localhost>")


def written(folder: Path, *contents: bytes) -> list[Path]:
    paths = [folder / f"{number}.csv" for number, _ in enumerate(contents)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def test_what_fits_is_attached_as_it_is_and_what_does_not_is_packed(tmp_path: Path) -> None:
    paths = written(tmp_path, b"a,b\r\n" * 100_000, b"c\r\n")
    plain = attachments(paths, 1_000_000)
    assert [(each.name, each.type) for each in plain] == [("0.csv", "text/csv"), ("1.csv", "text/csv")]
    (packed,) = attachments(paths, 500_000)
    assert (packed.name, packed.type) == ("marts.zip", "application/zip")
    with zipfile.ZipFile(BytesIO(packed.content)) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == {
            path.name: path.read_bytes() for path in paths
        }


def test_what_does_not_fit_at_all_is_said(tmp_path: Path) -> None:
    paths = written(tmp_path, random.Random(1).randbytes(2_000_000), b"c")
    with pytest.raises(
        TooLargeError, match=r"2 MB as CSV, and even packed they do not fit.*REPORTING_EXPORT_URI"
    ):
        attachments(paths, 2_000_000)


@pytest.mark.parametrize("limit", [100_000, 1_000_000])
def test_an_email_is_never_larger_than_the_limit(tmp_path: Path, limit: int) -> None:
    """With attachments that are just let through."""
    room = int((limit - 20_000) / (4 / 3 * 78 / 76))
    paths = written(tmp_path, *[random.Random(number).randbytes(room // 9) for number in range(9)])
    email = Email("x" * 100, "y" * 2_000, attachments=attachments(paths, limit))
    assert len(email.attachments) == 9
    mail = compose(email, "key", "robot@example.org", ["a@example.org"], AT)
    assert limit * 0.8 < len(bytes(mail)) <= limit


def test_addresses_are_a_list_or_none() -> None:
    assert emails(" a@example.org, b@example.org,a@example.org ") == ("a@example.org", "b@example.org")
    assert emails("") == emails("none") == ()


@pytest.mark.parametrize(
    "text", ["hush", "a@example.org; hush@b", "a@example.org, hush", "<hush@b>", "@hush", "a b@hush"]
)
def test_what_is_no_list_is_named_and_not_shown(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^is not a list of e-mail addresses: number .* of .* is not an address"
    ) as caught:
        emails(text)
    assert "hush" not in str(caught.value)


def test_a_server_without_a_user_has_no_sender() -> None:
    assert read_server({}) is None
    server = read_server({"REPORTING_SMTP_URL": "smtp://relay.example"})
    assert server is not None
    assert (server.port, server.sender, server.is_tls_from_start) == (587, None, False)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-0.04, "0"),
        (0.0, "0"),
        (999.96, "1,000"),
        (-1234.4, "-1,234"),
        (12.34, "12.3"),
        (None, "\N{EN DASH}"),
    ],
)
def test_an_amount_is_rounded_before_it_is_written(value: float | None, shown: str) -> None:
    assert amount(value) == shown


def test_a_name_makes_no_line_of_a_email() -> None:
    """Whoever is in the owner's address book chose it."""
    row = {
        "full_name": "Bob\r\n\nNot up to date: HubSpot\u2028was last read 30 days ago",
        "email": None,
        "company_name": "Acme\nAcme",
        "days_since_last_touch": 40,
        "cadence_days": 7.0,
        "last_touch_type": "calls",
        "is_going_cold": True,
        "next_touch_at": None,
        "next_touch_type": None,
        "next_birthday_on": date(2026, 11, 24),
        "age_at_birthday": None,
    }
    client: Any = SimpleNamespace(query_and_wait=lambda *_, **__: [row])
    now = datetime(2026, 11, 23, 5, tzinfo=UTC)
    marts = summary._Marts(client, read_settings({}), week_before(now, "UTC", 0), now)
    cold, _, _, birthdays = marts.people()
    name = "Bob Not up to date: HubSpot was last read 30 days ago"
    assert cold is not None
    assert [(each.name, each.company) for each in cold] == [(name, "Acme Acme")]
    assert [each.name for each in birthdays] == [name]
