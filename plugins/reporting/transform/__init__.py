"""Starts dbt, and records what it has built.

dbt.py            the commands and environment of dbt, and its results
builds.py         the record of builds, from which the next build is planned
single_entity.py  the transformation of a single entity, without the rest of the warehouse
"""
