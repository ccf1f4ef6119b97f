"""Settings: defaults, and plain words for what cannot be used."""

import pytest

from reporting.settings import SettingError, read_settings


def test_the_defaults_need_no_environment() -> None:
    settings = read_settings({})
    assert (settings.dataset("raw"), settings.timezone, settings.tombstone_share) == ("raw", "UTC", 0.2)
    assert settings.emulator_host is None


def test_names_and_date_properties_are_by_table() -> None:
    settings = read_settings(
        {
            "REPORTING_NAME_NOTION__DAILY_HABITS": "My days",
            "REPORTING_DATE_PROPERTY_NOTION__DAILY_HABITS": "Day",
            "REPORTING_NAME_NOTION__WEEKLY_HABITS": " ",
        }
    )
    assert settings.names == {"notion__daily_habits": "My days"}
    assert settings.date_properties == {"notion__daily_habits": "Day"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOMBSTONE_SHARE", "1.5"),
        ("TOMBSTONE_SHARE", "a fifth"),
        ("TOMBSTONE_SHARE", "nan"),
        ("MAXIMUM_BYTES_BILLED", "1"),
        ("TIMEZONE", "Europe/Nowhere"),
        ("TIMEZONE", "../etc/passwd"),
        ("FIRST_WEEKDAY", "someday"),
        ("EXPORT_FORMAT", "xlsx"),
        ("MAIL_MEGABYTES", "0"),
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"REPORTING_{name} is '"):
        read_settings({f"REPORTING_{name}": value})


def test_schedules_can_be_switched_off_and_are_checked() -> None:
    settings = read_settings({"REPORTING_SCHEDULE_CHANGED": "none", "REPORTING_SCHEDULE_FULL": "0 4 * * *"})
    assert (settings.schedule_changed, settings.schedule_full) == (None, "0 4 * * *")
    with pytest.raises(SettingError, match="REPORTING_SCHEDULE_FULL is 'daily'; it takes a cron expression"):
        read_settings({"REPORTING_SCHEDULE_FULL": "daily"})


def test_who_gets_letters_is_a_list_and_a_wrong_one_is_not_shown() -> None:
    settings = read_settings({"REPORTING_CSV_EMAIL": "a@example.org, b@example.org"})
    assert (settings.csv_emails, settings.summary_emails) == (("a@example.org", "b@example.org"), ())
    with pytest.raises(
        SettingError, match=r"^REPORTING_SUMMARY_EMAIL is no list of e-mail addresses"
    ) as caught:
        read_settings({"REPORTING_SUMMARY_EMAIL": "hush"})
    assert "hush" not in str(caught.value)


def test_what_an_installation_keeps_is_in_one_folder() -> None:
    settings = read_settings({"REPORTING_STATE": "/srv/state"})
    assert (str(settings.state), settings.landing_uri) == ("/srv/state", "/srv/state/landing")
