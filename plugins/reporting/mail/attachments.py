"""Makes attachments of an export that are small enough for mail servers."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from reporting.mail.emails import Attachment

# Base64 turns three bytes into four characters, and adds a line end after 76: https://www.rfc-editor.org/rfc/rfc2045#section-6.8
GROWTH = 4 / 3 * 78 / 76
# The size of an e-mail without its attachments, in bytes.
REST = 20_000


class TooLargeError(Exception):
    """The files do not fit into an e-mail. The message names alternatives."""


def attachments(paths: Sequence[Path], limit: int) -> tuple[Attachment, ...]:
    """The files as attachments, or packed into one ZIP if they are too large for an e-mail of `limit` bytes.

    Raises `TooLargeError`.
    """
    room = (limit - REST) / GROWTH
    if sum(path.stat().st_size for path in paths) <= room:
        return tuple(Attachment(path.name, "text/csv", path.read_bytes()) for path in paths)
    packed = _packed(paths, room)
    return (Attachment("marts.zip", "application/zip", packed),)


def _packed(paths: Sequence[Path], room: float) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in paths:
            packed.write(path, path.name)
            # Stop early if the files do not fit.
            if target.tell() > room:
                break
    if target.tell() <= room:
        return target.getvalue()
    size = sum(path.stat().st_size for path in paths) / 10**6
    raise TooLargeError(
        f"the marts are {size:.0f} MB as CSV, and even packed they do not fit into an e-mail of REPORTING_MAIL_MEGABYTES. Set "
        "REPORTING_EXPORT_URI, to which report_marts__export__daily writes them, or use script/export."
    )
