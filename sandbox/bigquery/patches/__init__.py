"""Mends of local-bigquery 0.4.0, one a module, each to be dropped when upstream has it.

`extensions` comes first: without it nothing starts on a machine that cannot download. Several patches wrap the
load job, and the last one applied sees a job first: a decorator is refused before anything is unpacked, and a
file is unpacked before it is checked.
"""

from collections.abc import Callable

from sandbox.bigquery.patches import (
    absent_pandas,
    catalog_lookup,
    confinement,
    ctas_destination,
    elements,
    empty_tables,
    extensions,
    gzip_upload,
    known_catalog,
    literal_options,
    merge_in_transaction,
    own_language,
    parse_json,
    partition_decorator,
    required_columns,
    set_struct,
    strict_load,
    unfinished_jobs,
)

ALL: dict[str, Callable[[], None]] = {
    "extensions": extensions.apply,
    "absent_pandas": absent_pandas.apply,
    "confinement": confinement.apply,
    "own_language": own_language.apply,
    "catalog_lookup": catalog_lookup.apply,
    "known_catalog": known_catalog.apply,
    "unfinished_jobs": unfinished_jobs.apply,
    "ctas_destination": ctas_destination.apply,
    "elements": elements.apply,
    "empty_tables": empty_tables.apply,
    "parse_json": parse_json.apply,
    "set_struct": set_struct.apply,
    "merge_in_transaction": merge_in_transaction.apply,
    "required_columns": required_columns.apply,
    "strict_load": strict_load.apply,
    "gzip_upload": gzip_upload.apply,
    "literal_options": literal_options.apply,
    "partition_decorator": partition_decorator.apply,
}
