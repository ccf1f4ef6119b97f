"""The local BigQuery: the package local-bigquery, mended where this project needs it."""
