"""Starts the local BigQuery and other local servers as separate processes. Uses the standard library only."""
