"""What the DAGs are made of: reading sources, keeping answers, loading them once."""
