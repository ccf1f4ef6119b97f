"""Reads entities, keeps every answer in the landing, and loads the raw tables. Nothing here imports Airflow.

extract.py      reads an entity completely, and keeps every answer
landing/        the kept answers, in a folder or a bucket
checkpoints.py  from where an interrupted long read continues
progress.py     the progress of a long read, in the log
addresses.py    e-mail addresses in records, and the key of each
suppression.py  the list of erased people, who are left out of reads and loads
fitting.py      converts values so that the columns accept them
rows.py         converts records to rows
load.py         one load job, one MERGE, one row in the sync log
sync_log.py     the table `ops.sync_runs`: one row per load
freshness.py    when an entity was last read completely, and whether that is recent enough
states.py       the state of each entity in the sync log, cached for the tasks of a sync
drift.py        changes in a source's own schema
replay.py       loads an earlier landing again
verify.py       compares source and warehouse, row by row
"""
