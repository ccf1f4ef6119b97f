"""Finds the key of a Google service account in the connection `bigquery`.

The connection's field `keyfile_dict` has the key itself, or `key_path` the path of its file:
https://airflow.apache.org/docs/apache-airflow-providers-google/stable/connections/gcp.html
"""

import json
from collections.abc import Mapping
from typing import Any

CONNECTION = "AIRFLOW_CONN_BIGQUERY"
UNREADABLE = f"{CONNECTION} has a key that cannot be read. Run script/connect bigquery again."
GoogleKey = Mapping[str, Any] | str


def key_in(extra: Mapping[str, Any]) -> GoogleKey | None:
    """The key in the `extra` of a connection: its content, or the path of its file, or None if it has no key.

    Raises `ValueError` when there is a key that cannot be read; the message does not quote it.
    """
    content = extra.get("keyfile_dict")
    if not content:
        path = extra.get("key_path")
        return str(path) if path else None
    try:
        return dict(json.loads(content) if isinstance(content, str) else content)
    except (ValueError, TypeError):
        pass
    # Raised outside the handler, because the handled error may quote the key.
    raise ValueError(UNREADABLE)


def key_of(environment: Mapping[str, str]) -> GoogleKey | None:
    """The key in the connection that `environment` has; None with a local BigQuery. Raises `ValueError`."""
    value = environment.get(CONNECTION)
    if environment.get("BIGQUERY_EMULATOR_HOST") or not value:
        return None
    try:
        extra = json.loads(value).get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        is_connection = isinstance(extra, dict)
    except (ValueError, AttributeError):
        is_connection = False
    if not is_connection:
        raise ValueError(f"{CONNECTION} is not a connection in JSON. Run script/connect bigquery.")
    return key_in(extra)
