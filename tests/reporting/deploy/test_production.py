"""Production's configuration: every finding at once, each with what to do, and no secret in any."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from reporting.deploy import checks, configuration, extras, production
from reporting.local.bigquery import LocalBigQuery
from reporting.settings import ROOT
from tests.support.production_server import environment

URL = "postgresql://owner:database-password@db.example:5432/airflow?sslmode=verify-full"


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    return environment(URL, tmp_path, LocalBigQuery("http://127.0.0.1:1", "no token"), 8000)


def findings(given: Mapping[str, str]) -> dict[str, str]:
    with pytest.raises(production.ConfigurationError) as caught:
        production.check(given)
    text = str(caught.value)
    assert all(str(each) in text for each in caught.value.findings)
    return {each.variable: str(each) for each in caught.value.findings}


def test_a_complete_configuration_is_well(given: dict[str, str]) -> None:
    assert production.check(given).host == "db.example"


def test_an_empty_environment_names_everything_at_once_and_how_to_make_it() -> None:
    found = findings({})
    assert set(found) == {
        "AIRFLOW__API_AUTH__JWT_SECRET",
        "AIRFLOW__API__BASE_URL",
        "AIRFLOW__API__SECRET_KEY",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW_CONN_BIGQUERY",
        "REPORTING_ADMIN_PASSWORD",
        "REPORTING_ALERT_EMAIL",
        "REPORTING_ALERT_WEBHOOK",
        "REPORTING_BIGQUERY_PROJECT",
        "REPORTING_DATABASE_URL",
        "REPORTING_PING_URL",
    }
    for name, text in found.items():
        is_secret = name.endswith(("SECRET", "KEY", "PASSWORD"))
        assert ("Make one: python3 -c" in text) == is_secret


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AIRFLOW__CORE__FERNET_KEY", "no fernet key at all", "is not a Fernet key"),
        ("AIRFLOW__API_AUTH__JWT_SECRET", "kX9-" * 10, "it has 40 characters, and needs at least 64"),
        ("AIRFLOW__API_AUTH__JWT_SECRET", "abcd" * 20, "only 4 different characters"),
        ("AIRFLOW__API__SECRET_KEY", "abcdefghijklmnop$HOMEqrstuvwxyz0123", "has a [$]"),
        ("AIRFLOW__API__BASE_URL", "http://reporting.example", "does not begin with https"),
        ("AIRFLOW__API__BASE_URL", "https://reporting.example/airflow", "more than a host and a port"),
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite://", "is made from REPORTING_DATABASE_URL"),
        ("AIRFLOW__CORE__AUTH_MANAGER", "airflow.SimpleAuthManager", "airflow.cfg decides it"),
        ("AIRFLOW__FAB__AUTH_ROLE_PUBLIC", "Viewer", "nobody may use Airflow without signing in"),
        ("FORWARDED_ALLOW_IPS", "*", "pretend to have another address"),
        ("PORT", "99999", "it takes a number"),
        ("REPORTING_ADMIN_PASSWORD", "hunter2hunter2", "it has 14 characters, and needs at least 16"),
        (
            "REPORTING_ALERT_WEBHOOK",
            "hooks.example/T0/secret-part",
            "not an address that begins with https://",
        ),
        ("REPORTING_ENTRA_EXPIRES_ON", "next year", "it takes a date such as 2027-11-30"),
        ("REPORTING_ENTRA_TENANT_ID", "contoso", "it takes an id of the form"),
        ("REPORTING_INTERNAL_ADDRESS", "203.0.113.1.7", "an address of a private network"),
        ("REPORTING_INTERNAL_ADDRESS", "8.8.8.8", "an address of a private network"),
        ("REPORTING_PING_URL", "http://ping.example/secret-part", "not an address that begins with https://"),
        ("REPORTING_TIMEZONE", "Mars/Olympus", "it takes the name of a time zone"),
    ],
)
def test_each_wrong_value_is_named_and_no_secret_is_shown(
    given: dict[str, str], name: str, value: str, said: str
) -> None:
    found = findings(given | {name: value})
    assert name in found
    assert re.search(said, found[name])
    if name.endswith(("SECRET", "KEY", "PASSWORD", "WEBHOOK", "_URL")) and name != "AIRFLOW__API__BASE_URL":
        assert value not in "".join(found.values())
        assert "secret-part" not in "".join(found.values())


def test_no_two_secrets_are_the_same(given: dict[str, str]) -> None:
    secret = given["AIRFLOW__API_AUTH__JWT_SECRET"]
    found = findings(given | {"AIRFLOW__API__SECRET_KEY": secret})
    assert "is the same as AIRFLOW__API_AUTH__JWT_SECRET" in found["AIRFLOW__API__SECRET_KEY"]


def test_a_list_of_fernet_keys_is_for_changing_them(given: dict[str, str]) -> None:
    key = given["AIRFLOW__CORE__FERNET_KEY"]
    production.check(given | {"AIRFLOW__CORE__FERNET_KEY": f"{key},{key[::-1][1:]}="})


def test_entra_takes_all_three_variables(given: dict[str, str]) -> None:
    guid = "01234567-89ab-cdef-0123-456789abcdef"
    entra = {"REPORTING_ENTRA_TENANT_ID": guid, "REPORTING_ENTRA_CLIENT_ID": guid}
    assert "set all three or none" in findings(given | entra)["REPORTING_ENTRA_CLIENT_SECRET"]
    production.check(given | entra | {"REPORTING_ENTRA_CLIENT_SECRET": "of-entra"})


def test_a_role_that_entra_took_away_ends_within_the_hour(given: dict[str, str]) -> None:
    name = "AIRFLOW__FAB__SESSION_MAX_LIFETIME_MINUTES"
    guid = "00000000-0000-4000-8000-000000000000"
    entra = dict.fromkeys(("REPORTING_ENTRA_TENANT_ID", "REPORTING_ENTRA_CLIENT_ID"), guid)
    entra["REPORTING_ENTRA_CLIENT_SECRET"] = "of-entra"
    url = production.check(given)
    assert name not in production.environment(given, url, "127.0.0.1")
    assert production.environment(given | entra, url, "127.0.0.1")[name] == "60"
    assert production.environment(given | entra | {name: "15"}, url, "127.0.0.1")[name] == "15"


def test_one_channel_is_enough_and_none_must_be_said(given: dict[str, str]) -> None:
    del given["REPORTING_ALERT_EMAIL"]
    assert set(findings(given)) >= {"REPORTING_ALERT_EMAIL"}
    production.check(given | {"REPORTING_ALERT_WEBHOOK": "https://hooks.example/T0"})
    del given["REPORTING_PING_URL"]
    assert "or none" in findings(given)["REPORTING_PING_URL"]


def test_a_real_warehouse_needs_a_project_and_a_key(given: dict[str, str]) -> None:
    del given["BIGQUERY_EMULATOR_HOST"]
    connection = json.dumps(
        {"conn_type": "gcpbigquery", "extra": {"keyfile_dict": '{"private_key": "hush"}'}}
    )
    found = findings(given | {"AIRFLOW_CONN_BIGQUERY": connection})
    assert "takes the Google project" in found["REPORTING_BIGQUERY_PROJECT"]
    assert "a key that cannot be read" in found["AIRFLOW_CONN_BIGQUERY"]
    assert "hush" not in "".join(found.values())


def test_airflow_gets_what_is_derived_and_nothing_that_only_the_start_needs(given: dict[str, str]) -> None:
    made = production.environment(given, production.check(given), "0.0.0.0")  # noqa: S104
    assert made["AIRFLOW_HOME"] == str(ROOT)
    assert made["AIRFLOW__API__HOST"] == "0.0.0.0"  # noqa: S104
    secret = given["AIRFLOW__API_AUTH__JWT_SECRET"]
    assert made["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == configuration.execution_url(8000, secret)
    assert made["AIRFLOW__FAB__COOKIE_SECURE"] == "True"
    assert made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("postgresql+psycopg2://owner:")
    assert made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"].endswith("?ssl=verify-full")
    assert made["REPORTING_METADATA_URL"] == made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert not {"REPORTING_DATABASE_URL", "REPORTING_ADMIN_PASSWORD"} & set(made)
    assert "*" not in made["FORWARDED_ALLOW_IPS"]


@pytest.mark.parametrize(("variable", "value", "extra"), extras.NEEDS)
def test_what_is_needed_and_not_installed_is_named(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch, variable: str, value: str, extra: str
) -> None:
    given[variable] = value
    assert production.check(given).host == "db.example"
    assert list(checks.check_settings(given)) == []
    # As if it were not there: find_spec finds nothing then.
    monkeypatch.setitem(sys.modules, extra, None)
    assert f"run script/bootstrap --with {extra}" in findings(given)[variable]
    (finding,) = checks.check_settings(given)
    assert (finding.subject, finding.is_well) == (variable, False)
    assert f"run script/bootstrap --with {extra}" in finding.text


def test_workers_on_other_machines_ask_at_the_internal_address(given: dict[str, str]) -> None:
    given["REPORTING_INTERNAL_ADDRESS"] = "10.0.0.4"
    made = production.environment(given, production.check(given), "0.0.0.0")  # noqa: S104
    assert made["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://10.0.0.4:8000/execution/"


def test_a_pool_can_be_set(given: dict[str, str]) -> None:
    name = "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE"
    url = production.check(given)
    assert production.environment(given, url, "127.0.0.1")[name] == "3"
    assert production.environment(given | {name: "9"}, url, "127.0.0.1")[name] == "9"
