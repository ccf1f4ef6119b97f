"""Finds incidents beyond a task that failed, records them and sends alerts. Nothing here imports Airflow.

reading.py      what the checks are given, from the sync log and the marts
stale.py        sources that are not read any more
volumes.py      loads whose counts are far from the usual ones
categories.py   values that look like spellings of others
expiry.py       certificates, keys and logins that are about to end
checks.py       runs all checks, and decides which incidents are resolved
notifier.py     one alert when an incident begins, and one when it is resolved
record.py       the table of incidents
alerts.py       the channels: e-mail, web hooks, heartbeat
runs.py         the history of Airflow's runs
history.py      runs and logs, counted and removed by age
records.py      rows of history, appended once
profiles.py     what is in the raw tables
samples.py      a hundredth of each raw table
"""
