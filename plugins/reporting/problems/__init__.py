"""What is wrong beyond a task that failed, and how it is told. Nothing here knows Airflow.

reading.py      what the checks are given, from the ledger and the marts
stale.py        sources that are not read any more
volumes.py      loads whose counts are far from the usual ones
categories.py   values that look like spellings of others
expiry.py       certificates, keys and logins that are about to end
looking.py      all checks, and what is well again
telling.py      one message a problem, and one for its end
"""
