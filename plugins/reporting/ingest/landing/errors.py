"""What can be wrong with a landing: it is not there, it was cut off, a file is damaged, or the disk is full."""

import errno
import gzip
import zlib

# What is read and is not what was written, and what a damaged file raises beside it.
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
# The same of a part. Another error of the disk or the network may pass by itself.
DAMAGED_PART = (*DAMAGED, gzip.BadGzipFile, EOFError, zlib.error)
UNREADABLE = (*DAMAGED_PART, OSError)
# A disk is full, or what this user may use of it.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class LandingError(Exception):
    """A landing is not there or is not whole."""


def raise_if_full(error: OSError, where: str) -> None:
    """Raise `LandingError` in place of an error that says no more than that a disk is full."""
    if error.errno in FULL:
        raise LandingError(
            f"there is no room for what is read: {where} could not be written ({error.strerror}). Nothing was lost and "
            "nothing was loaded. Free some space, keep landings for fewer days (REPORTING_LANDING_DAYS) or elsewhere "
            "(REPORTING_LANDING_URI), and clear the extract task."
        ) from error
