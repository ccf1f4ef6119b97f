"""Reads settings from an environment, and finds everything that is wrong with them."""

import os
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from urllib.parse import unquote, urlsplit

from pydantic import PrivateAttr, ValidationError

from reporting.google_key import GoogleKey, key_of
from reporting.settings.data import (
    BACKUP_URI,
    EMULATOR_HOST,
    EMULATOR_TOKEN,
    EXPORT_URI,
    Backup,
    Exports,
    Mail,
    Schedules,
    Sources,
    Storage,
    Warehouse,
)
from reporting.settings.errors import Problem, SettingError
from reporting.settings.model import PARTS, VARIABLES
from reporting.settings.part import PREFIX, Part, Variable
from reporting.settings.values import BUCKET_SCHEMES, LOOPBACK, is_bucket

MEGABYTE = 10**6
# The connection of the source `files`, whose address may be a bucket of Google's.
FILES_CONNECTION = "AIRFLOW_CONN_FILES"
# The folder, within the state folder, where the local BigQuery keeps its data and its token.
LOCAL_BIGQUERY = "bigquery"
LONGEST_QUOTE = 100


class Settings(Schedules, Sources, Storage, Warehouse):
    """Every setting that reading, loading and building need. Sizes are in bytes; shares are between 0 and 1.

    The properties (e-mail, exports, backups) are validated only when they are used, and raise `SettingError` then: a wrong
    e-mail address stops the e-mail and nothing else. `copy.replace` gives settings with other values.

    `state` is the folder in which this installation keeps its files. `landing_uri` is where the answers of sources are kept,
    and `site_uri` where the report is written. The schedules are cron expressions in `timezone` (None: only when triggered).
    `retry_seconds` is the wait before a failed task's first retry; later waits are longer. `settle_seconds` is how long a
    build waits for what else changes at the same time.

    `history_days` is how long runs and their logs are kept, `landing_days` how long landings are kept (None: forever).
    `default_region` is the country (two letters) of telephone numbers without a country code. `hubspot_version` is the
    version of HubSpot's API: `v3`, or a year and month as in its dated paths. `emulator_host` is the address of a local
    BigQuery (None: the real one). Three mappings have raw tables as keys: `names` says what an entity is called in its
    source where that differs from the default (a name, an id, or `none`), `date_properties` which property holds a row's
    date, and `columns` what the columns of a sheet are called there (`date=Datum, amount=Betrag`). `first_weekday` is the
    day with which weeks begin, 0 for Monday.
    """

    _environment: Mapping[str, str] = PrivateAttr(default_factory=dict)

    def dataset(self, name: str) -> str:
        """The name of a dataset in this environment."""
        return f"{self.dataset_prefix}{name}"

    def emulator_variables(self) -> dict[str, str]:
        """The environment variables that point another process to the local BigQuery; none for the real one."""
        given = {EMULATOR_HOST: self.emulator_host, EMULATOR_TOKEN: self.emulator_token}
        return {name: value for name, value in given.items() if self.emulator_host and value}

    @cached_property
    def emulator_token(self) -> str | None:
        """The token of the local BigQuery: from the environment, or else from the state folder.

        The token in the folder belongs to a server on this machine, and is never sent to another one.
        """
        if self.emulator_host is None:
            return None
        if self.emulator_secret:
            return self.emulator_secret.get_secret_value()
        if urlsplit(self.emulator_host).hostname not in LOOPBACK:
            return None
        path = self.state / LOCAL_BIGQUERY / "token"
        try:
            return path.read_text(encoding="ascii").strip() or None
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            raise SettingError(
                Problem(
                    str(path),
                    "is the token of the local BigQuery, and cannot be read. Delete the file and start the local BigQuery "
                    "again: it writes a new one",
                )
            ) from None

    @cached_property
    def google_key(self) -> GoogleKey | None:
        """The service account's key if one of the addresses, or that of the files to read, is a Google bucket (None: use the
        machine's own credentials)."""
        others = (self._environment.get(name, "") for name in (BACKUP_URI, EXPORT_URI))
        # A connection is JSON, or an address of which parts are quoted.
        files = unquote(self._environment.get(FILES_CONNECTION, ""))
        is_any = any(map(is_bucket, (self.landing_uri, self.site_uri, *others)))
        if not is_any and not any(f"{scheme}://" in files for scheme in BUCKET_SCHEMES):
            return None
        try:
            return key_of(self._environment)
        except ValueError as error:
            variable, _, text = str(error).partition(" ")
        raise SettingError(Problem(variable, text.rstrip(".")))

    @cached_property
    def summary_emails(self) -> tuple[str, ...]:
        """Who gets the week's summary."""
        return read(Mail, self._environment).summary_emails

    @cached_property
    def csv_emails(self) -> tuple[str, ...]:
        """Who gets the marts by e-mail."""
        return read(Mail, self._environment).csv_emails

    @cached_property
    def mail_limit(self) -> int:
        """The most bytes that an e-mail may have, encoded as it is sent."""
        return read(Mail, self._environment).megabytes * MEGABYTE

    @cached_property
    def export_uri(self) -> str | None:
        """The folder or bucket that marts are exported to (None: they are not)."""
        return read(Exports, self._environment).uri

    @cached_property
    def export_format(self) -> str:
        """One of `EXPORT_FORMATS`."""
        return read(Exports, self._environment).format

    @cached_property
    def backup_uri(self) -> str | None:
        """The folder or bucket of the backups (None: there are none)."""
        return read(Backup, self._environment).uri

    @cached_property
    def backup_dataset(self) -> str | None:
        """The dataset of another project (`project.dataset`) that keeps tables as snapshots (None: they are files)."""
        return read(Backup, self._environment).dataset

    @cached_property
    def backup_days(self) -> int:
        """How many days every backup is kept; of older ones only the first of each month is."""
        return read(Backup, self._environment).days


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings that `environment` holds. Raises `SettingError`."""
    given = dict(environment)
    found = read(Settings, given).model_copy()
    found._environment = given
    return found


def read[P: Part](part: type[P], environment: Mapping[str, str] = os.environ) -> P:
    """One part of the settings that `environment` holds. Raises `SettingError` with everything that is wrong in that part."""
    given = {name: text for name, value in dict(environment).items() if (text := value.strip())}
    found = _validated(part, frozenset(part.texts_in(given).items()))
    wrong = (*part.rules(given), *(found if isinstance(found, tuple) else ()))
    if wrong or not isinstance(found, part):
        raise SettingError(*wrong)
    return found


def problems(environment: Mapping[str, str] = os.environ) -> Iterator[Problem]:
    """Everything that is wrong in `environment`, in any part."""
    for part in PARTS:
        try:
            read(part, environment)
        except SettingError as error:
            yield from error.problems


def unknown(environment: Mapping[str, str] = os.environ) -> Iterator[Problem]:
    """Variables whose names look like the project's but that no code reads, such as a misspelt one."""
    for name in sorted(environment):
        if not name.startswith(PREFIX) or any(each.is_name_of(name) for each in VARIABLES.values()):
            continue
        # Imported here, so that an environment without unknown variables does not pay for it.
        from difflib import get_close_matches

        close = get_close_matches(
            name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in VARIABLES], 1
        )
        text = (
            f"is unknown; did you mean {PREFIX}{close[0]}?"
            if close
            else "is unknown, and no code reads it; remove it"
        )
        yield Problem(name, text)


# The DAGs of one file ask for the same settings a hundred times while it is parsed.
@lru_cache(maxsize=64)
def _validated(part: type[Part], given: frozenset[tuple[str, str]]) -> Part | tuple[Problem, ...]:
    """The part with the values `given`, or the errors in them."""
    texts, variables = dict(given), part.variables()
    try:
        return part(**{name: value for name, each in variables.items() if (value := each.value_in(texts))})
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    # Only variables that were set: a default that is computed from a wrong value is reported by Pydantic as an error, too.
    wrong = [(name, each) for each in found if (name := str(each["loc"][0])) in texts]
    return tuple(
        _problem(variables[name], texts[name], each.get("ctx", {}).get("error")) for name, each in wrong
    )


def _problem(variable: Variable, given: str, reason: Exception | None) -> Problem:
    """The error as one sentence. `reason` comes from a function in `values`, or from Pydantic (None: Pydantic's own check)."""
    why, takes = str(reason or ""), f"it takes {variable.plain_takes}"
    if not variable.is_shown:
        text = why if why.startswith("is not ") else "has a value that cannot be used"
        return Problem(variable.name, f"{text}; {takes}")
    short = " ".join(given.split())
    short = short if len(short) <= LONGEST_QUOTE else f"{short[:LONGEST_QUOTE]}…"
    clause = f", {why}" if why.startswith("which ") else ""
    default = f" (default {variable.default})" if variable.default else ""
    return Problem(variable.name, f"is '{short}'{clause}; {takes}{default}")
