"""Starts and supervises an installation: in production, on your own machine, or for a single sync.

configuration.py  the files of an installation, and the environment of its processes
installation.py   starts the warehouse and Airflow for a command
processes.py      starts and stops Airflow's processes
procfile.py       runs the Procfile, and hides secrets in its output
production.py     checks the configuration of production before a start
database.py       the address of the metadata database
metadata.py       dumps and restores the metadata database
sign_in.py        the settings of sign-in
checks.py         the checks of script/doctor
syncs.py          one sync: reads, builds and shows everything once
airflow_api.py    a client of Airflow's own API
errors.py         the errors and exit codes of commands
"""
