"""No log shows a secret of the environment, in whatever form it is there."""

import json
from urllib.parse import quote, quote_plus

import pytest
from cryptography.fernet import Fernet

from reporting.redaction import HIDDEN, scrub

SECRET = "s3cret/with+odd&signs"
KEYS = [Fernet.generate_key().decode() for _ in range(2)]
PEM = "-----BEGIN PRIVATE KEY-----\nan+invented+key+first+line\nan+invented+key+second+one\n-----END PRIVATE KEY-----\n"
ADDRESS = f"postgresql+psycopg2://reader:{quote(SECRET, safe='')}@db.example/hours"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPORTING_SMTP_PASSWORD", SECRET),
        ("SOME_DB_PWD", SECRET),
        ("ANY_CREDENTIAL", SECRET),
        ("GOOGLE_CREDENTIALS", json.dumps({"x": SECRET, "secret": SECRET})),
        ("AIRFLOW__CELERY__RESULT_BACKEND", f"db+{ADDRESS}"),
        ("AIRFLOW_CONN_SQL", json.dumps({"conn_type": "generic", "password": ADDRESS})),
        ("AIRFLOW_CONN_SQL", f"generic://:{quote(ADDRESS, safe='')}@"),
        ("AIRFLOW_CONN_X", f"http://user@host/?token={quote(SECRET, safe='')}"),
        ("AIRFLOW_CONN_X", f"http://host/?__extra__={quote(json.dumps({'api_token': SECRET}), safe='')}"),
        ("AIRFLOW_CONN_X", json.dumps({"extra": json.dumps({"inner": {"client_secret": SECRET}})})),
    ],
)
@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        f"cannot open {ADDRESS}",
        json.dumps({"said": SECRET}),
    ],
)
def test_a_secret_is_hidden_in_every_form(name: str, value: str, shown: str) -> None:
    found = scrub(f"before {shown} after", {name: value})
    assert HIDDEN in found
    assert SECRET not in found
    assert quote(SECRET, safe="") not in found
    assert found.startswith("before ")
    assert found.endswith(" after")


def test_each_of_several_keys_is_hidden() -> None:
    environment = {"AIRFLOW__CORE__FERNET_KEY": ",".join(KEYS)}
    for key in KEYS:
        assert scrub(f"the key {key}", environment) == f"the key {HIDDEN}"


@pytest.mark.parametrize("escaped", [False, True])
def test_a_key_is_hidden_line_by_line_and_with_its_lines_escaped(escaped: bool) -> None:
    key = PEM.replace("\n", "\\n") if escaped else PEM
    connection = json.dumps(
        {"conn_type": "gcpbigquery", "extra": {"keyfile_dict": json.dumps({"private_key": key})}}
    )
    environment = {"AIRFLOW_CONN_BIGQUERY": connection}
    lines = [line for line in PEM.splitlines() if not line.startswith("-----")]
    for shown in (
        PEM,
        PEM.replace("\n", "\\n"),
        *lines,
        *(f"{number}: {line}" for number, line in enumerate(lines)),
    ):
        found = scrub(shown, environment)
        assert not [line for line in lines if line in found]


def test_what_stands_beside_a_key_is_hidden_with_it() -> None:
    beside = json.dumps({"key": PEM.rstrip("\n"), "named": "hush-hush-hush"})
    assert "hush" not in scrub(beside, {"AIRFLOW_CONN_X": beside})
    in_one_line = PEM.replace("\n", " ")
    assert "invented" not in scrub(in_one_line, {"A_KEY": in_one_line})


@pytest.mark.parametrize(
    "odd", ["geheimnis-\udcfc", '{"password": "geheimnis-\\ud800"}'], ids=["variable", "connection"]
)
def test_a_secret_that_is_no_text_keeps_no_other_from_being_hidden(odd: str) -> None:
    # So Python reads a variable that an editor wrote in Latin-1.
    environment = {"A_PASSWORD": odd, "B_PASSWORD": "hush-hush-hush"}
    assert scrub("it is hush-hush-hush", environment) == "it is ***"
    assert scrub("it is geheimnis-\udcfc", {"A_PASSWORD": "geheimnis-\udcfc"}) == "it is ***"


def test_what_is_no_secret_stays() -> None:
    environment = {
        "REPORTING_DATABASE_URL": "postgresql://owner:hidden-word@db.example/airflow?sslmode=verify-full&sslrootcert=/etc/ssl/ca.pem",
        "AIRFLOW__API__BASE_URL": "https://reporting.example",
    }
    text = "sslmode=verify-full, /etc/ssl/ca.pem, https://reporting.example, owner, db.example"
    assert scrub(text, environment) == text
    assert "hidden-word" not in scrub("the hidden-word", environment)
