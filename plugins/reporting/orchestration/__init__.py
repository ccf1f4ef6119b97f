"""What Airflow runs: connections, and the factories of the DAGs. Only here is Airflow imported."""
