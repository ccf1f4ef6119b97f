"""Dated backups of what cannot be made again from the sources.

backup.py   makes backups, and removes old ones
copies.py   copies one table to a file or a snapshot
restore.py  restores tables from a backup
"""
