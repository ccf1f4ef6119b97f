"""Settings: defaults, bounds, and whole sentences for what cannot be used."""

import os
import subprocess
import sys
from copy import replace
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from reporting.settings import (
    EXPORT_FORMATS,
    ROOT,
    VARIABLES,
    Alerts,
    Commands,
    MailServer,
    Production,
    SettingError,
    SignIn,
    problems,
    read,
    read_settings,
    unknown,
)
from reporting.settings.model import PARTS

# What nobody may see in a message.
HUSH = "hush-0f3a"


def test_the_defaults_need_no_environment() -> None:
    settings = read_settings({})
    assert (settings.dataset("raw"), settings.timezone, settings.tombstone_share) == ("raw", "UTC", 0.2)
    assert (settings.emulator_host, settings.emulator_token, settings.google_key) == (None, None, None)
    assert (settings.landing_uri, settings.site_uri) == (
        f"{ROOT}/var/local/landing",
        f"{ROOT}/var/local/site",
    )
    assert (settings.first_weekday, settings.schedule_changed, settings.landing_days) == (
        0,
        "7 * * * *",
        180,
    )
    assert (settings.summary_emails, settings.csv_emails, settings.mail_limit) == ((), (), 20_000_000)
    assert (settings.export_uri, settings.export_format) == (None, "parquet")
    assert (settings.backup_uri, settings.backup_dataset, settings.backup_days) == (None, None, 30)
    assert list(problems({})) == []


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_an_empty_value_is_the_default(name: str) -> None:
    empty = {name.replace("*", "SOMETHING"): "  "}
    assert list(problems(empty)) == []
    assert dict(read_settings(empty)) == dict(read_settings({}))


@pytest.mark.parametrize("name", sorted(name for name, each in VARIABLES.items() if each.default))
def test_a_default_that_is_told_is_the_one_that_is_taken(name: str) -> None:
    (part,) = (part for part in PARTS if name in part.variables())
    assert read(part, {name: VARIABLES[name].default or ""}) == read(part, {})


def test_names_date_properties_columns_and_hosts_are_open_ended() -> None:
    environment = {
        "REPORTING_NAME_NOTION__DAILY_HABITS": "My days",
        "REPORTING_NAME_MINE__ANYTHING": "none",
        "REPORTING_DATE_PROPERTY_NOTION__DAILY_HABITS": " Day ",
        "REPORTING_NAME_NOTION__WEEKLY_HABITS": " ",
        "REPORTING_COLUMNS_GOOGLE_SHEETS__LEDGER": "date=Datum",
        "REPORTING_TIDES_HOST": "http://127.0.0.1:1",
    }
    settings = read_settings(environment)
    assert settings.names == {"notion__daily_habits": "My days", "mine__anything": "none"}
    assert settings.date_properties == {"notion__daily_habits": "Day"}
    assert settings.columns == {"google_sheets__ledger": "date=Datum"}
    assert read(Commands, environment).hosts == {"tides": "http://127.0.0.1:1"}
    assert list(unknown(environment)) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOMBSTONE_SHARE", "1.5"),
        ("TOMBSTONE_SHARE", "a fifth"),
        ("TOMBSTONE_SHARE", "nan"),
        ("MAXIMUM_BYTES_BILLED", "1"),
        ("TIMEZONE", "Europe/Nowhere"),
        ("TIMEZONE", "../etc/passwd"),
        ("TIMEZONE", "Europe"),
        ("DATASET_PREFIX", "other-project.raw"),
        ("DATASET_PREFIX", "a`"),
        ("DATASET_PREFIX", "_" * 101),
        ("TIMEZONE", "x" * 300),
        ("TIMEZONE", "localtime"),
        ("TIMEZONE", "posixrules"),
        ("TIMEZONE", "Factory"),
        ("TIMEZONE", "posix/Europe/Berlin"),
        ("TIMEZONE", "right/Europe/Berlin"),
        ("TIMEZONE", "/etc/localtime"),
        ("HISTORY_DAYS", "1000000"),
        ("LANDING_DAYS", "1000000"),
        ("FIRST_WEEKDAY", "someday"),
        ("DATASET_PREFIX", "own-"),
        ("BIGQUERY_PROJECT", "my project"),
        ("LANDING_DAYS", "29"),
        ("SCHEDULE_FULL", "daily"),
        ("SCHEDULE_FULL", "@daily"),
        ("SCHEDULE_FULL", "99 99 * * *"),
        ("SCHEDULE_FULL", "H H * * *"),
        ("SCHEDULE_CHANGED", "0 0 30 2 *"),
    ],
)
def test_a_bad_value_names_its_variable_and_what_it_takes(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=rf"^REPORTING_{name} is '.*; it takes .*\.$"):
        read_settings({f"REPORTING_{name}": value})


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingError) as caught:
        read_settings(
            {
                "REPORTING_SCHEDULE_FULL": "99 99 * * *",
                "REPORTING_TIMEZONE": "Mars",
                "REPORTING_RETRY_SECONDS": "0",
            }
        )
    assert sorted(str(caught.value).splitlines()) == [
        "REPORTING_RETRY_SECONDS is '0'; it takes a whole number between 1 and 3600 (default 300).",
        "REPORTING_SCHEDULE_FULL is '99 99 * * *', which is not a cron expression; it takes a cron expression of five fields, or none (default 17 3 * * *).",
        "REPORTING_TIMEZONE is 'Mars', which is not a known time zone; it takes the name of a time zone such as Europe/Berlin (default UTC).",
    ]


def test_schedules_and_the_end_of_landings_can_be_switched_off() -> None:
    settings = read_settings(
        {
            "REPORTING_SCHEDULE_CHANGED": "none",
            "REPORTING_SCHEDULE_FULL": "0 4 29 2 *",
            "REPORTING_LANDING_DAYS": "none",
        }
    )
    assert (settings.schedule_changed, settings.schedule_full, settings.landing_days) == (
        None,
        "0 4 29 2 *",
        None,
    )


WRONG_PARTS = {
    "REPORTING_MAIL_MEGABYTES": ("0", ("summary_emails", "csv_emails", "mail_limit")),
    "REPORTING_SUMMARY_EMAIL": (HUSH, ("summary_emails", "csv_emails", "mail_limit")),
    "REPORTING_EXPORT_FORMAT": ("xlsx", ("export_uri", "export_format")),
    "REPORTING_BACKUP_DAYS": ("0", ("backup_uri", "backup_dataset", "backup_days")),
    "REPORTING_BACKUP_DATASET": ("mine-mine.backups", ("backup_uri", "backup_dataset", "backup_days")),
}


@pytest.mark.parametrize("name", sorted(WRONG_PARTS))
def test_a_wrong_value_of_one_part_stops_that_part_alone(name: str) -> None:
    value, stopped = WRONG_PARTS[name]
    settings = read_settings({name: value})
    assert dict(settings) == dict(read_settings({}))
    # Other values can still be given to it.
    settings = replace(settings, dataset_prefix="own_")
    assert settings.dataset("raw") == "own_raw"
    for attribute in chain(*(attributes for _, attributes in WRONG_PARTS.values())):
        if attribute in stopped:
            with pytest.raises(SettingError, match=f"^{name} is ") as caught:
                getattr(settings, attribute)
            assert HUSH not in str(caught.value)
        else:
            getattr(settings, attribute)
    assert [each.variable for each in problems({name: value})] == [name]


def test_a_value_of_a_part_can_be_replaced() -> None:
    settings = replace(
        read_settings({"REPORTING_MAIL_MEGABYTES": "0"}), mail_limit=5, backup_uri="/srv/backups"
    )
    assert (settings.mail_limit, settings.backup_uri) == (5, "/srv/backups")


def test_who_gets_e_mail_is_a_list_and_a_wrong_one_is_not_shown() -> None:
    settings = read_settings({"REPORTING_CSV_EMAIL": "a@example.org, b@example.org"})
    assert (settings.csv_emails, settings.summary_emails) == (("a@example.org", "b@example.org"), ())
    (problem,) = problems({"REPORTING_SUMMARY_EMAIL": f"a@example.org,{HUSH}"})
    assert str(problem) == (
        "REPORTING_SUMMARY_EMAIL is not a list of e-mail addresses: number 2 of 2 is not an address; it takes e-mail addresses with "
        "commas between them, or none."
    )


def test_what_an_installation_keeps_is_in_one_folder() -> None:
    settings = read_settings({"REPORTING_STATE": "/srv/state"})
    assert (str(settings.state), settings.landing_uri) == ("/srv/state", "/srv/state/landing")


def test_whoever_says_none_has_decided() -> None:
    alerts = read(Alerts, {"REPORTING_ALERT_EMAIL": "none", "REPORTING_PING_URL": "none"})
    assert (alerts.emails, alerts.webhook, alerts.ping_url) == ((), None, None)
    assert alerts.model_fields_set == {"emails", "ping_url"}


def test_a_sender_may_have_a_name_and_alerts_several_receivers() -> None:
    sender = "Reports <reports@example.org>"
    assert read(MailServer, {"REPORTING_ALERT_SENDER": sender}).sender == sender
    for wrong in ("Reports", "Reports <reports>", "a@example.org\nBcc: b@example.org"):
        with pytest.raises(SettingError, match=r"^REPORTING_ALERT_SENDER is not an e-mail address; it takes"):
            read(MailServer, {"REPORTING_ALERT_SENDER": wrong})
    given = {
        "REPORTING_ALERT_EMAIL": "a@example.org,b@example.org",
        "REPORTING_SMTP_URL": "smtp://mail.example",
    }
    assert read(Alerts, given).emails == ("a@example.org", "b@example.org")


def test_an_unknown_variable_is_a_question() -> None:
    environment = {
        "REPORTING_TIMZONE": "UTC",
        "REPORTING_SCHEDULE_FUL": "none",
        "REPORTING_QQQQ": "1",
        "REPORTING_TIMEZONE": "UTC",
        "AIRFLOW_HOME": "/srv",
    }
    assert [str(each) for each in unknown(environment)] == [
        "REPORTING_QQQQ is unknown, and no code reads it; remove it.",
        "REPORTING_SCHEDULE_FUL is unknown; did you mean REPORTING_SCHEDULE_FULL?",
        "REPORTING_TIMZONE is unknown; did you mean REPORTING_TIMEZONE?",
    ]


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        (MailServer, "REPORTING_SMTP_URL", f"smtps://robot:{HUSH}@mail.example"),
        (Alerts, "REPORTING_ALERT_WEBHOOK", f"https://hooks.example/{HUSH}"),
        (Alerts, "REPORTING_PING_URL", f"https://ping.example/{HUSH}"),
        (Production, "REPORTING_DATABASE_URL", f"postgresql://owner:{HUSH}@db.example/airflow"),
        (Production, "REPORTING_ADMIN_PASSWORD", HUSH),
        (Production, "REPORTING_METADATA_URL", HUSH),
        (SignIn, "REPORTING_ENTRA_CLIENT_SECRET", HUSH),
    ],
)
def test_a_secret_is_in_no_text(part: type, name: str, value: str) -> None:
    guid = "01234567-89ab-cdef-0123-456789abcdef"
    entra = {"REPORTING_ENTRA_TENANT_ID": guid, "REPORTING_ENTRA_CLIENT_ID": guid}
    found = read(part, {name: value} | (entra if part is SignIn else {}))
    (secret,) = (each for _, each in found if isinstance(each, SecretStr))
    assert HUSH in secret.get_secret_value()
    assert HUSH not in f"{found} {found!r}"


def test_a_token_of_the_local_bigquery_is_in_no_text() -> None:
    settings = read_settings(
        {"BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:1", "BIGQUERY_EMULATOR_TOKEN": HUSH}
    )
    assert settings.emulator_token == HUSH
    assert HUSH not in f"{settings} {settings!r}"


TEXTS = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.floats().map(str),
    st.lists(st.sampled_from(["*", "*/5", "0", "1-5", "31", "2", "99", "?", "L", "#", "a"]), max_size=6).map(
        " ".join
    ),
    st.sampled_from(
        ["none", "NONE", "UTC", "Europe/Berlin", "monday", "csv", "a@example.org", "10.0.0.4", "2027-11-30"]
    ),
    st.text(max_size=20).map(lambda text: f"https://{text}"),
)
ENVIRONMENTS = st.dictionaries(
    st.sampled_from(sorted(name.replace("*", "X__Y") for name in VARIABLES)), TEXTS
)


@hypothesis_settings(max_examples=300, deadline=None)
@given(environment=ENVIRONMENTS)
def test_whatever_the_environment_holds_settings_are_within_bounds_or_each_wrong_one_is_named(
    environment: dict[str, str],
) -> None:
    # Long enough that nothing of a message is in it by chance.
    marked = {
        name: f"{HUSH}{text}" if name in VARIABLES and not VARIABLES[name].is_shown else text
        for name, text in environment.items()
    }
    found = list(problems(marked))
    told = {each.variable for each in found}
    assert told <= set(VARIABLES)
    said = "\n".join(map(str, found))
    assert HUSH not in said
    assert len(said.splitlines()) == len(found)
    # Each value that is told of cannot be used by itself either.
    try:
        settings = read_settings(marked)
    except SettingError as error:
        for each in error.problems:
            with pytest.raises(SettingError, match=each.variable):
                read_settings({each.variable: marked[each.variable]})
        return
    assert 0 <= settings.tombstone_share <= 1
    assert 1 <= settings.retry_seconds <= 3600
    assert 0 <= settings.debounce_seconds <= 3600
    assert 7 <= settings.history_days <= 36500
    assert settings.landing_days is None or 30 <= settings.landing_days <= 36500
    assert 10 * 2**20 <= settings.maximum_bytes_billed <= 10**15
    assert 0 <= settings.first_weekday <= 6
    if not told:
        assert settings.export_format in EXPORT_FORMATS
        assert 10**6 <= settings.mail_limit <= 150 * 10**6
        assert settings.backup_days >= 1


# What takes long to import.
HEAVY = """
import sys
from reporting.settings import read_settings
read_settings()
print(sorted({"airflow", "sqlalchemy", "google", "httpx", "psycopg2"} & set(sys.modules)))
"""


def test_settings_are_read_without_airflow() -> None:
    said = subprocess.run(
        [sys.executable, "-c", HEAVY],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "plugins")},
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert said.stdout == "[]\n"
