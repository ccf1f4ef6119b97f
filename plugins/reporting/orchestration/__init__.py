"""Everything that Airflow runs: factories of DAGs (`dags/`), operators, connections, callbacks, and the functions of tasks."""
