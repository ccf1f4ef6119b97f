"""The commands in `script/`. They do not import Airflow, which takes seconds and which most of them do not need."""
