"""Factories of the DAGs, called by the files in `dags/`. Nothing here uses the network while DAGs are parsed.

raw.py        one raw entity
marts.py      staging and marts
reports.py    the report, the e-mails, the exports
warehouse.py  the warehouse: schema, freshness, incidents, profiles, backups
airflow.py    Airflow itself: history of runs, clean-up, pauses
common.py     settings that all DAGs share
"""
