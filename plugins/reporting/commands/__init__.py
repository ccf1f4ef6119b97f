"""What the scripts run. Airflow is not imported here: it takes seconds, and most commands don't need it."""
