"""The local BigQuery: the package local-bigquery with the patches that this project needs."""
