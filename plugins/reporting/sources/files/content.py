"""What is in one file, as a stream of bounded memory: its bytes, unpacked where they are gzipped, its encoding and its lines.

A file that cannot be read as a whole is an `UnreadableError`. No message holds anything of a file's content.
"""

import codecs
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, cast

# In bytes, unpacked. A larger file belongs into a database.
LARGEST_FILE = 16 * 2**30
# gzip makes at most 1,032 bytes of one; logs seldom have more than a hundred. What is small anyway may have any.
LARGEST_RATIO = 250
HARMLESS = 64 * 2**20
CHUNK = 2**20
# In characters.
LONGEST_LINE = 2**20
LINE_ENDS = ("\n", "\r")
# What the first bytes say: https://www.unicode.org/faq/utf_bom.html. UTF-32's begin like those of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
UTF_8, CP1252 = "utf-8", "cp1252"
# Bytes that stand for nothing in cp1252.
FREE = frozenset(b"\x81\x8d\x8f\x90\x9d")


class UnreadableError(Exception):
    """A file cannot be read as a whole. The message goes on from its name: `has no line with the names of the columns`."""


@dataclass(frozen=True, slots=True)
class Text:
    """What is known of a text before its lines are read. `is_guess` says that another encoding is possible."""

    digest: str
    encoding: str
    is_guess: bool
    is_ended: bool

    def __str__(self) -> str:
        guess = (
            " (a guess, as it is no UTF-8; declare `encoding` if letters are wrong)" if self.is_guess else ""
        )
        return f"{self.encoding}{guess}"


class Content:
    """The content of one file of `size` bytes. `raw` is open and can be read again from its beginning."""

    def __init__(self, raw: IO[bytes], is_gzipped: bool, size: int) -> None:
        self._raw, self._is_gzipped, self._size = raw, is_gzipped, size

    def open(self) -> IO[bytes]:
        """The unpacked bytes from the beginning; closing them leaves the file open."""
        self._raw.seek(0)
        return cast(IO[bytes], gzip.GzipFile(fileobj=self._raw, mode="rb")) if self._is_gzipped else self._raw

    def chunks(self) -> Iterator[bytes]:
        """All of it in pieces. Raises `UnreadableError` where it is cut off, damaged, or larger than is taken."""
        opened, total = self.open(), 0
        try:
            while chunk := opened.read(CHUNK):
                total += len(chunk)
                if self._raw.tell() > self._size:
                    # Whoever writes it may be faster than this.
                    raise UnreadableError("has grown since it was listed")
                if total > LARGEST_FILE:
                    raise UnreadableError(
                        f"has more than {LARGEST_FILE // 2**30} GiB, which is the most that is read"
                    )
                if self._is_gzipped and total > HARMLESS and total > LARGEST_RATIO * self._raw.tell():
                    raise UnreadableError(
                        f"unpacks to more than {LARGEST_RATIO} times its size, so it is not unpacked"
                    )
                yield chunk
        except EOFError:
            raise UnreadableError("is cut off: its compressed data does not end") from None
        except (gzip.BadGzipFile, zlib.error):
            raise UnreadableError("is no gzip file, or is damaged") from None

    def whole(self, most: int) -> bytes:
        """All of it at once. Raises `UnreadableError` where it is more than `most` bytes."""
        parts, total = [], 0
        for chunk in self.chunks():
            total += len(chunk)
            if total > most:
                raise UnreadableError(
                    f"has more than {most // 2**20} MiB, which is the most that is read of such a file"
                )
            parts.append(chunk)
        return b"".join(parts)

    def digest(self) -> str:
        """The SHA-256 of the unpacked bytes."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()

    def text(self, declared: str | None) -> Text:
        """Find the encoding from all bytes. Raises `UnreadableError` where it is none of those that can be told."""
        digest, end, is_free = hashlib.sha256(), b"", False
        encoding = declared
        decoder: codecs.IncrementalDecoder | None = None
        for number, chunk in enumerate(self.chunks()):
            if number == 0:
                encoding = declared or _marked(chunk)
                decoder = codecs.getincrementaldecoder(encoding or UTF_8)()
            digest.update(chunk)
            end = (end + chunk)[-4:]
            is_free = is_free or not FREE.isdisjoint(chunk)
            decoder = _decoded(decoder, chunk, False, encoding)
        if not end:
            raise UnreadableError("is empty")
        if _decoded(decoder, b"", True, encoding) is not None:
            return Text(digest.hexdigest(), encoding or UTF_8, False, _is_line_end(end))
        if is_free:
            raise UnreadableError("is in no encoding that can be told; declare `encoding` for its table")
        return Text(digest.hexdigest(), CP1252, True, _is_line_end(end))

    def lines(self, encoding: str) -> Iterator[tuple[int, str | None]]:
        """The lines by number from 1, each with its end; None in place of one of more than `LONGEST_LINE` characters."""
        reader = io.TextIOWrapper(io.BufferedReader(_Chunked(self.chunks()), CHUNK), encoding, newline="")
        number = 0
        while line := reader.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) <= LONGEST_LINE or line.endswith(LINE_ENDS):
                yield number, line
                continue
            while line and not line.endswith(LINE_ENDS):
                line = reader.readline(LONGEST_LINE)
            yield number, None


def _marked(chunk: bytes) -> str | None:
    """The encoding that the first bytes say, if they do."""
    if found := next((name for mark, name in MARKS if chunk.startswith(mark)), None):
        return found
    if chunk.count(0) * 4 > len(chunk):
        raise UnreadableError("looks like UTF-16 without its mark; declare `encoding` for its table")
    return None


def _decoded(
    decoder: codecs.IncrementalDecoder | None, chunk: bytes, is_last: bool, encoding: str | None
) -> codecs.IncrementalDecoder | None:
    """The decoder, which has taken `chunk`; None where that is no UTF-8 though nothing says that it is anything else."""
    if decoder is None:
        return None
    try:
        decoder.decode(chunk, is_last)
    except UnicodeError:
        if encoding is not None:
            raise UnreadableError(f"is not, or not to its end, in the encoding {encoding}") from None
        return None
    return decoder


def _is_line_end(end: bytes) -> bool:
    """Whether the last bytes end a line in any of the encodings: UTF-16 and UTF-32 have zeros beside it."""
    return end.rstrip(b"\0").endswith((b"\n", b"\r"))


class _Chunked(io.RawIOBase):
    """Pieces of bytes as a file to read from, so that lines are read with the same bounds as pieces are."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left = chunks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # whoever calls it gives a view of bytes
        if not self._left:
            self._left = memoryview(next(self._chunks, b""))
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
