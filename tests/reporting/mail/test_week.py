"""The week as the marts have it, as an e-mail, and sent by Airflow's tasks to a mail server on loopback."""

import csv
import email
import json
import ssl
from collections.abc import Iterator
from copy import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email import policy
from email.message import EmailMessage
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from reporting.local.bigquery import LocalBigQuery
from reporting.mail import rendering, summary
from reporting.mail.week import Birthday, FullDay, Person, Planned, Summary, week_before
from reporting.orchestration import mail as tasks
from reporting.settings import read_settings
from reporting.warehouse.client import connect
from tests.reporting.mail import week as story
from tests.reporting.mail.week import NOW, ZONE
from tests.support import receivers
from tests.support.marts import Marts, contracts

BERLIN = ZoneInfo(ZONE)


@pytest.fixture(scope="module")
def marts(bigquery_endpoint: LocalBigQuery, tmp_path_factory: pytest.TempPathFactory) -> Marts:
    """A warehouse without rows."""
    settings = read_settings(
        {
            **bigquery_endpoint.variables,
            "REPORTING_DATASET_PREFIX": "week_",
            "REPORTING_STATE": str(tmp_path_factory.mktemp("state")),
            "REPORTING_TIMEZONE": ZONE,
        }
    )
    made = Marts(connect(settings), settings)
    made.make()
    made.make_records()
    return made


@pytest.fixture(scope="module")
def week(marts: Marts) -> Summary:
    """The story's week, after an empty one."""
    empty = summary.read(marts.client, marts.settings, week_before(NOW, ZONE, 0), NOW)
    assert (empty.habits, empty.cold, empty.deals, empty.engagements, empty.hours) == (None,) * 5
    story.fill(marts)
    return summary.read(marts.client, marts.settings, week_before(NOW, ZONE, 0), NOW)


@pytest.mark.parametrize(
    ("now", "first_weekday", "first_on"),
    [
        (datetime(2026, 11, 22, 22, 59, tzinfo=UTC), 0, date(2026, 11, 9)),
        (datetime(2026, 11, 22, 23, 0, tzinfo=UTC), 0, date(2026, 11, 16)),
        (datetime(2026, 11, 29, 12, 0, tzinfo=UTC), 0, date(2026, 11, 16)),
        # Weeks that begin on Sunday are over on Saturday.
        (datetime(2026, 11, 23, 6, 0, tzinfo=UTC), 6, date(2026, 11, 15)),
    ],
)
def test_the_week_is_the_owners_last_that_is_over(now: datetime, first_weekday: int, first_on: date) -> None:
    assert week_before(now, ZONE, first_weekday).first_on == first_on


def test_habits_against_target_and_the_week_before(week: Summary) -> None:
    found = {each.name: each for each in week.habits or ()}
    assert list(found) == [
        "Meditate",
        "Read <twenty> pages",
        "Run",
        "Steps",
        "Send the invoices",
        "Review the week",
    ]
    meditate = found["Meditate"]
    assert (meditate.done, meditate.due, meditate.before, meditate.streak) == (5, 7, (6, 7), 3)
    assert meditate.cells == ("done", "done", "missed", "done", "done", "missed", "done")
    assert meditate.is_met is False
    run = found["Run"]
    assert (run.done, run.due, run.before, run.is_met) == (1, 2, (0, 2), None)
    assert run.cells == ("off", "done", "off", "missed", "off", "off", "off")
    steps = found["Steps"]
    assert steps.average == pytest.approx((3 * 9000 + 4 * 6500.5) / 7)
    assert (steps.target, steps.is_met) == (8000, False)
    review = found["Review the week"]
    assert (review.cells, review.done, review.before) == (("done", "done", "missed", "done"), 1, (0, 1))
    invoices = found["Send the invoices"]
    assert (invoices.cells, invoices.due) == (("missed", "done", "open"), 0)
    # 5 + 4 + 1 + 3 + 1 of 7 + 7 + 2 + 7 + 1.
    assert week.rate == pytest.approx(14 / 24)


def test_whom_to_call_and_what_is_ahead(week: Summary) -> None:
    assert week.cold is not None
    assert week.cold[:2] == (
        Person("Ben <b>Brandt</b>", "Brandt Studio", 90, 10.0, "calls"),
        Person("Ada Abel", "Abel & Daughters Bakery", 40, 14.0, "calls"),
    )
    assert "cleo@example.com" in {each.name for each in week.cold}
    assert (len(week.cold), week.cold_planned_count) == (10, 1)
    # Half past midnight in Berlin.
    assert week.planned == (
        Planned("Emil Egge", "tasks", date(2026, 11, 25)),
        Planned("Dora Dahl", "meetings", date(2026, 11, 25)),
    )
    assert week.birthdays == (
        Birthday("Gil Gross", date(2026, 11, 23), 40),
        Birthday("Hal Holm", date(2026, 12, 7), None),
    )


def test_deals_and_engagements_are_of_the_owners_week(week: Summary) -> None:
    assert week.deals is not None
    assert week.engagements is not None
    names = {
        kind: [each.name for each in getattr(week.deals, kind)]
        for kind in ("new", "moved", "won", "lost", "overdue")
    }
    assert names == {
        "new": ["Window"],
        "moved": ["Door"],
        "won": ["Roof"],
        "lost": ["Cellar"],
        "overdue": ["Stairs"],
    }
    assert (week.deals.open_count, week.deals.open_amount) == (4, Decimal("5100"))
    assert week.deals.won[0].amount == Decimal("12500.50")
    assert week.engagements.by_type == {"calls": 2, "emails": 2, "notes": 1}
    assert week.engagements.before == {"calls": 1, "meetings": 1}
    assert week.engagements.by_day == (1, 2, 1, 0, 0, 0, 1)
    assert (week.engagements.people_count, week.engagements.people_before) == (3, 1)


def test_hours_are_those_of_the_week_and_of_the_one_before(week: Summary) -> None:
    assert week.hours is not None
    assert (week.hours.total, week.hours.before, week.hours.meeting_count) == (23.5, 12.25, 7)
    assert week.hours.by_calendar == (("Robin", 21.0), ("Friends <of mine>", 3.5))
    assert week.hours.full == (FullDay(date(2026, 11, 18), 11.5, 4.0),)


def test_health_says_what_is_stale(week: Summary) -> None:
    assert week.health.stale == {"google": 5}
    assert week.health.changed_count == 42


class Visible(HTMLParser):
    """What a reader sees, and every tag."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.tags: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in ("br", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += f" {data}"


def seen(html: str) -> str:
    parser = Visible()
    parser.feed(html)
    assert parser.open == []
    assert not parser.tags & {"script", "img", "svg", "b", "link", "iframe", "twenty"}
    return " ".join(parser.text.split())


def test_the_email_says_it_twice_and_shows_no_markup_of_others(week: Summary) -> None:
    email = rendering.email(week, "https://reporting.example")
    dash = rendering.DASH
    assert (
        email.subject == f"Your week, 16{dash}22 November: habits 58 %, 10 to call, 2 birthdays, 1 deal won"
    )
    assert email.html is not None
    for text in (seen(email.html), " ".join(email.text.split())):
        for said in (
            "58 % done of what was due",
            "Meditate",
            "5 of 7",
            "Read <twenty> pages",
            "3 in a row",
            "Ben <b>Brandt</b>",
            "90 days since a call",
            "usually every 10 days",
            "And 2 more, in marts.relationships",
            "Something is planned with 1 more",
            "with Emil Egge",
            "Gil Gross, 40",
            "12,500",
            "Fri 20 Nov",
            "3 people, after 1",
            "23.5 hours, after 12.2 the week before",
            "7 meetings.",
            "Friends <of mine>",
            "Wed 18 Nov was unusually full: 11.5 hours, above 4",
            "Google Contacts was last read 5 days ago",
            "42 rows changed",
        ):
            assert said in text, said
        assert "None" not in text.replace("None.", "")


def test_empty_states_are_sentences(week: Summary) -> None:
    nothing = replace(
        week,
        habits=(),
        cold=(),
        cold_planned_count=0,
        planned=(),
        birthdays=(),
        deals=replace(
            week.deals, open_count=0, open_amount=Decimal(0), new=(), moved=(), won=(), lost=(), overdue=()
        ),
        engagements=replace(
            week.engagements, by_type={}, before={}, by_day=(0,) * 7, people_count=0, people_before=0
        ),
        health=replace(week.health, stale={}, read_at={}, built_at=None, changed_count=0),
    )
    email = rendering.email(nothing)
    assert email.subject.endswith("November: nothing to report")
    assert email.html is not None
    for text in (seen(email.html), " ".join(email.text.split())):
        for said in (
            "No habit was due.",
            "Nobody is going cold.",
            "No meeting and no task.",
            "No source read",
        ):
            assert said in text
    unread = replace(nothing, habits=None, cold=None, deals=None, engagements=None, hours=None)
    html = rendering.email(unread).html
    assert html is not None
    assert "Habits" not in seen(html)
    assert "Deals" not in seen(html)
    assert "Calendar" not in seen(html)


def test_fresh_data_is_said_by_source(week: Summary) -> None:
    email = rendering.email(replace(week, health=replace(week.health, stale={})))
    assert email.html is not None
    for text in (seen(email.html), " ".join(email.text.split())):
        assert "Google Contacts, Google Calendar, HubSpot, Notion read within 3 days. 42 rows changed" in text


def test_an_email_of_many_habits_is_not_cut_off(week: Summary) -> None:
    """Gmail shows the first 102 kB."""
    assert week.habits
    many = replace(week, habits=week.habits[:1] * 40)
    assert len((rendering.email(many).html or "").encode()) < 102_000


@pytest.fixture
def environment(marts: Marts, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for variable, value in {
        **marts.settings.emulator_variables(),
        "REPORTING_DATASET_PREFIX": marts.settings.dataset_prefix,
        "REPORTING_TIMEZONE": ZONE,
        "REPORTING_SUMMARY_EMAIL": "owner@example.org",
        "REPORTING_CSV_EMAIL": "one@example.org, two@example.org",
        "REPORTING_ALERT_SENDER": "robot@example.org",
    }.items():
        monkeypatch.setenv(variable, value)
    return monkeypatch


@pytest.fixture
def mail(environment: pytest.MonkeyPatch) -> Iterator[receivers.Received]:
    """The mail server of the alerts, which is that of the e-mails where there is no connection."""
    with receivers.mail_server("hush-hush") as server:
        environment.setenv("REPORTING_SMTP_URL", f"smtp://robot:hush-hush@127.0.0.1:{server.port}")
        yield server


def run_as(patch: pytest.MonkeyPatch, run_id: str, run_type: str = "scheduled", **params: Any) -> None:
    """Let the tasks think that they are of this run."""
    dag_run = SimpleNamespace(dag_id="report", run_id=run_id, run_type=run_type)
    patch.setattr(tasks, "get_current_context", lambda: {"dag_run": dag_run, "params": params})


def parsed(text: str) -> EmailMessage:
    made = email.message_from_string(text, policy=policy.default)
    assert isinstance(made, EmailMessage)
    return made


def test_the_summary_is_sent_once_and_again_when_asked(
    week: Summary, environment: pytest.MonkeyPatch, mail: receivers.Received
) -> None:
    run_as(environment, "first")
    assert tasks.send_summary() > 5000
    for run_id in ("first", "second"):
        run_as(environment, run_id, "manual")
        with pytest.raises(AirflowSkipException, match=r"summary/\d{4}-\d\d-\d\d was sent at"):
            tasks.send_summary()
    run_as(environment, "second", "manual", again=True)
    tasks.send_summary()
    with pytest.raises(AirflowSkipException):
        tasks.send_summary()
    receiver, first = mail.next()
    assert receiver == "owner@example.org"
    email, other = parsed(first), parsed(mail.next()[1])
    assert mail.is_empty()
    assert email["Message-ID"] != other["Message-ID"]
    assert email["From"] == "robot@example.org"
    assert str(email["Subject"]).startswith("Your week, ")
    assert email.get_content_type() == "multipart/alternative"
    html = email.get_body(("html",))
    assert html is not None
    assert "Whom to call" in seen(html.get_content())


def test_the_marts_come_as_csv_to_everybody(
    week: Summary, marts: Marts, environment: pytest.MonkeyPatch, mail: receivers.Received
) -> None:
    run_as(environment, "scheduled")
    tasks.send_csv()
    with pytest.raises(AirflowSkipException, match=r"full_csv/.* was sent at"):
        tasks.send_csv()
    # Whoever asks gets it, and each asking once.
    run_as(environment, "manual__1", "manual")
    tasks.send_csv()
    with pytest.raises(AirflowSkipException):
        tasks.send_csv()
    received, text = mail.next()
    assert received == "one@example.org,two@example.org"
    files = {
        file.get_filename(): (file.get_payload(decode=True) or b"").decode("utf-8-sig")
        for file in parsed(text).iter_attachments()
    }
    # What the project notes of its own work is in no e-mail: it grows for ever.
    own = {"ops_runs", "ops_dbt_results", "ops_table_profiles"}
    assert set(files) == {f"{name}.csv" for name in contracts().keys() - own}
    rows = list(csv.DictReader(StringIO(files["deals.csv"], newline="")))
    assert sorted(row["deal_name"] for row in rows) == sorted(row["deal_name"] for row in story.deals())
    assert mail.next()[0] == "one@example.org,two@example.org"
    assert mail.is_empty()


def test_what_is_too_large_is_packed_or_refused(
    week: Summary, environment: pytest.MonkeyPatch, mail: receivers.Received
) -> None:
    read_settings = tasks.read_settings
    environment.setattr(tasks, "read_settings", lambda: replace(read_settings(), mail_limit=32_000))
    run_as(environment, "manual__packed", "manual")
    tasks.send_csv()
    (file,) = parsed(mail.next()[1]).iter_attachments()
    assert file.get_filename() == "marts.zip"
    environment.setattr(tasks, "read_settings", lambda: replace(read_settings(), mail_limit=21_000))
    run_as(environment, "manual__refused", "manual")
    with pytest.raises(AirflowFailException, match="do not fit into an e-mail"):
        tasks.send_csv()
    assert mail.is_empty()


def test_a_server_that_refuses_one_of_two_is_told_about(
    week: Summary, environment: pytest.MonkeyPatch
) -> None:
    with receivers.mail_server(refused={"two@example.org"}) as server:
        environment.setenv("REPORTING_SMTP_URL", f"smtp://127.0.0.1:{server.port}")
        run_as(environment, "manual__half", "manual")
        with pytest.raises(AirflowFailException, match="refused receiver 2 of 2 with 550"):
            tasks.send_csv()
        assert server.next()[0] == "one@example.org"


def test_a_server_that_takes_no_such_size_is_told_about(
    week: Summary, environment: pytest.MonkeyPatch
) -> None:
    with receivers.mail_server(size_limit=2_000) as server:
        environment.setenv("REPORTING_SMTP_URL", f"smtp://127.0.0.1:{server.port}")
        run_as(environment, "manual__size", "manual")
        with pytest.raises(
            AirflowException, match=r"did not accept full_csv/manual__size: SMTPSenderRefused 552"
        ):
            tasks.send_csv()
        assert server.is_empty()


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that signs itself, and a server's context with it."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return path, context


def test_the_connection_comes_first_and_turns_to_tls(
    week: Summary, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, context = certificate(tmp_path)
    with receivers.mail_server("hush-hush", tls=context) as server:
        connection = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": server.port,
            "login": "robot",
            "password": "hush-hush",
            "extra": {"disable_ssl": True, "from_email": "e-mails@example.org"},
        }
        environment.setenv("AIRFLOW_CONN_SMTP", json.dumps(connection))
        environment.setenv("REPORTING_SMTP_URL", "smtp://127.0.0.1:1")
        run_as(environment, "manual__tls", "manual", again=True)
        # A certificate that nobody vouches for is none.
        with pytest.raises(AirflowException, match=r"did not accept .*: SSLCertVerificationError"):
            tasks.send_summary()
        environment.setenv("SSL_CERT_FILE", str(path))
        tasks.send_summary()
        assert parsed(server.next()[1])["From"] == "e-mails@example.org"
        run_as(environment, "manual__wrong", "manual", again=True)
        environment.setenv("AIRFLOW_CONN_SMTP", json.dumps(connection | {"password": "wrong-one"}))
        with pytest.raises(
            AirflowException, match=r"did not accept .*: SMTPAuthenticationError 535"
        ) as caught:
            tasks.send_summary()
        assert "wrong-one" not in str(caught.value)


def test_a_password_does_not_travel_in_clear(week: Summary, environment: pytest.MonkeyPatch) -> None:
    extra = {"disable_ssl": True, "disable_tls": True}
    connection = {
        "conn_type": "smtp",
        "host": "mail.example.org",
        "login": "r",
        "password": "hush",
        "extra": extra,
    }
    environment.setenv("AIRFLOW_CONN_SMTP", json.dumps(connection))
    run_as(environment, "manual__clear", "manual", again=True)
    with pytest.raises(AirflowFailException, match="would send its password unencrypted"):
        tasks.send_summary()


def test_a_connection_that_says_nothing_is_tls_from_the_start(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AIRFLOW_CONN_SMTP", json.dumps({"conn_type": "smtp", "host": "mail.example.org"}))
    hook = tasks.MailHook()
    hook.smtp_connection = hook.get_connection(tasks.SMTP)
    assert (hook.use_ssl, hook.smtp_starttls) == (True, False)


def test_who_sends_is_who_the_connection_says_then_the_setting_then_its_user(
    environment: pytest.MonkeyPatch,
) -> None:
    connection = {"conn_type": "smtp", "host": "h", "login": "user@example.org"}

    def sender(**extra: str) -> str:
        environment.setenv("AIRFLOW_CONN_SMTP", json.dumps(connection | {"extra": extra}))
        return tasks.MailHook().sender("owner@example.org")

    assert sender(from_email="e-mails@example.org") == "e-mails@example.org"
    assert sender() == "robot@example.org"
    environment.delenv("REPORTING_ALERT_SENDER")
    assert sender() == "user@example.org"
    connection["login"] = "user"
    assert sender() == "owner@example.org"


def test_nobody_to_send_to_is_skipped_and_no_server_fails_with_a_sentence(
    environment: pytest.MonkeyPatch,
) -> None:
    run_as(environment, "any")
    with pytest.raises(
        AirflowFailException,
        match=r"there is no mail server to send the e-mail with\. Set REPORTING_SMTP_URL",
    ):
        tasks.send_csv()
    environment.setenv("REPORTING_SUMMARY_EMAIL", "none")
    environment.delenv("REPORTING_CSV_EMAIL")
    with pytest.raises(AirflowSkipException, match="REPORTING_SUMMARY_EMAIL is not set"):
        tasks.send_summary()
    with pytest.raises(AirflowSkipException, match="REPORTING_CSV_EMAIL is not set"):
        tasks.send_csv()


def test_without_marts_the_summary_is_skipped_and_can_be_sent_later(
    week: Summary, marts: Marts, environment: pytest.MonkeyPatch, mail: receivers.Received
) -> None:
    habits = marts.table("habits")
    marts.client.query_and_wait(f"CREATE TABLE {marts.table('kept')} AS SELECT * FROM {habits}")
    marts.client.query_and_wait(f"DROP TABLE {habits}")
    try:
        run_as(environment, "manual__early", "manual", again=True)
        with pytest.raises(AirflowSkipException, match="the marts are not there yet"):
            tasks.send_summary()
    finally:
        marts.client.query_and_wait(f"CREATE TABLE {habits} AS SELECT * FROM {marts.table('kept')}")
        marts.client.query_and_wait(f"DROP TABLE {marts.table('kept')}")
    tasks.send_summary()
    assert mail.next()[0] == "owner@example.org"
