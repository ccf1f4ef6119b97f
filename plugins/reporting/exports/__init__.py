"""The marts as files: CSV, Parquet, DuckDB or SQLite, whole or not at all.

marts.py    what there is, and which column is a mart's time
reading.py  a mart as batches of Arrow, in a window
cells.py    a value as CSV and SQLite hold it
formats.py  the four kinds of file
placing.py  a new export in the place of an earlier one
export.py   all of it, into a path
publish.py  the same into a folder or bucket
"""
