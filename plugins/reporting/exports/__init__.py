"""Exports the marts as files: CSV, Parquet, DuckDB or SQLite. An export is complete or changes nothing.

marts.py    the list of marts, and which column of each is its time
reading.py  reads a mart as batches of Arrow, for a window of time
formats.py  the four kinds of file
placing.py  replaces an earlier export by a new one
export.py   exports to a path
publish.py  exports to a folder or bucket, under the same names each time
"""
