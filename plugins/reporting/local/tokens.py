"""The access token of a server on loopback. Uses the standard library only."""

import errno
import os
import re
import secrets
from pathlib import Path

TOKEN_FILE = "token"  # noqa: S105
TOKEN_BYTES = 32
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def token_of(folder: Path) -> str:
    """Read the token of the server that keeps its data in `folder` from a file of mode 0600; create it if there is none.

    The folder is made accessible to this user only, even if it existed before. A restart keeps the token, so that clients keep
    working. A file that other users can read or have made, or that is incomplete, is replaced. Raises `OSError` if the folder
    does not belong to this user or cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    path = folder / TOKEN_FILE
    while True:
        try:
            token = _kept(path)
        except FileNotFoundError:
            token = None
        if token:
            return token
        part = path.with_name(f"{TOKEN_FILE}.{secrets.token_hex(4)}.part")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(TOKEN_BYTES))
        try:
            # Unlike a rename, a link fails if another process has just made the file.
            os.link(part, path)
        except FileExistsError:
            if not _kept(path):
                path.unlink()
        finally:
            part.unlink()


def kept_token(folder: Path) -> str | None:
    """The token of the server that keeps its data in `folder`, or None when there is none that may be used. Raises `OSError`."""
    try:
        return _kept(folder / TOKEN_FILE)
    except FileNotFoundError:
        return None


def _kept(path: Path) -> str | None:
    """The token in a file; None if it may not be used. Raises `OSError` if there is no file."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
    with open(file, encoding="ascii", errors="replace") as opened:
        found, token = os.fstat(file), opened.read(200)
    is_own = found.st_uid == os.getuid() and not found.st_mode & 0o077
    return token if is_own and TOKEN.fullmatch(token) else None
