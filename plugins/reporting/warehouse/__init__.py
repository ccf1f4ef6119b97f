"""The warehouse in BigQuery: its client, the description of its tables, and the revisions of its schema."""
