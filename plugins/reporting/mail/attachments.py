"""An export as attachments that mail servers take."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from reporting.mail.letters import Attachment

# In a letter three bytes are four characters, in lines of 76 with two more: https://www.rfc-editor.org/rfc/rfc2045#section-6.8
GROWTH = 4 / 3 * 78 / 76
# What a letter is beside its attachments.
REST = 20_000


class TooLargeError(Exception):
    """It does not fit into a letter; says what does instead."""


def attachments(paths: Sequence[Path], limit: int) -> tuple[Attachment, ...]:
    """The files as they are, or in one ZIP where they are too large for a letter of `limit` bytes.

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
            # What does not fit is not packed to its end.
            if target.tell() > room:
                break
    if target.tell() <= room:
        return target.getvalue()
    size = sum(path.stat().st_size for path in paths) / 10**6
    raise TooLargeError(
        f"the marts are {size:.0f} MB as CSV, and do not fit into a letter of REPORTING_MAIL_MEGABYTES even packed. Set "
        "REPORTING_EXPORT_URI, where report_marts__export__daily writes them, or use script/export."
    )
