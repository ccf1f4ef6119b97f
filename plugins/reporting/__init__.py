"""A personal data warehouse on Airflow: reads sources, loads BigQuery, builds marts, and shows and sends what is in them."""

import os

# Files that the project writes (answers, exports, backups, the report, logs) may be read by their owner only. Every process
# of the project imports this package first (Airflow's do so through the plugin), and child processes inherit the mask.
os.umask(0o077)
