"""The project's additions to Airflow's web server. Nothing here imports Airflow before a request needs it."""
