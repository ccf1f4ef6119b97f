"""Declared REST sources: what an author writes of an API, from which everything else follows.

A package with `SOURCE = rest_source(...)` is a whole source: docs/guides/adding-a-source.md begins with one. This package itself is
none; the registry passes it by.
"""

from reporting.entity import Property
from reporting.sources.rest.declare import (
    Basic,
    Bearer,
    ClientCredentials,
    DeclarationError,
    Gone,
    HeaderKey,
    QueryKey,
    RefreshToken,
    Resource,
    Since,
    rest_source,
)
from reporting.sources.rest.paging import (
    AfterLast,
    LinkHeader,
    NextAddress,
    NextCursor,
    Offset,
    PageNumber,
    SinglePage,
)

__all__ = [
    "AfterLast",
    "Basic",
    "Bearer",
    "ClientCredentials",
    "DeclarationError",
    "Gone",
    "HeaderKey",
    "LinkHeader",
    "NextAddress",
    "NextCursor",
    "Offset",
    "PageNumber",
    "Property",
    "QueryKey",
    "RefreshToken",
    "Resource",
    "Since",
    "SinglePage",
    "rest_source",
]
