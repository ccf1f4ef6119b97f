"""What is known of the files that were read before, as the sync token that the next incremental refresh begins with.

The token is in the sync log beside the data, so it is never ahead of it. Of a file it has digests of its name and content, its
stamp and how many records it had: 24 bytes.
"""

import base64
import binascii
import hashlib
import json
import struct
import zlib
from dataclasses import dataclass, field

# So that no line of the sync log has more than some 100 KB. With more files each read is of everything.
MOST_KEPT = 3000
LAYOUT = struct.Struct(">8s6s6sI?")
NAME, STAMP, DIGEST = 8, 6, 6
# The count of a file of which more may be in the warehouse than is known.
UNKNOWN_COUNT = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Known:
    """One file as it was read last; `stamp` is empty for one that is to be read again. `is_refused` says that its row of rejects is
    there."""

    stamp: bytes
    digest: bytes
    count: int
    is_refused: bool = False


@dataclass(slots=True)
class States:
    """The files by a digest of their names, and the greatest name of one that was read.

    `declared` stands for the declaration: with another one everything is read anew.
    """

    declared: str
    last: str = ""
    files: dict[bytes, Known] = field(default_factory=dict)

    def known(self, name: str) -> Known | None:
        """What is known of the file with that name."""
        return self.files.get(short(name, NAME))

    def note(self, name: str, known: Known) -> None:
        """Remember a file."""
        self.files[short(name, NAME)] = known
        self.last = max(self.last, name)

    def token(self) -> str | None:
        """All of it as text; None where it is too much."""
        if len(self.files) > MOST_KEPT:
            return None
        packed = b"".join(
            LAYOUT.pack(name, each.stamp, each.digest, min(each.count, UNKNOWN_COUNT), each.is_refused)
            for name, each in sorted(self.files.items())
        )
        text = {
            "declared": self.declared,
            "last": self.last,
            "files": base64.b64encode(zlib.compress(packed)).decode(),
        }
        return json.dumps(text, separators=(",", ":"))

    @classmethod
    def parse(cls, token: str | None, declared: str) -> "States | None":
        """What `token` has; None where it is none of this declaration."""
        try:
            found = json.loads(token or "")
            packed = zlib.decompress(base64.b64decode(found["files"], validate=True))
            if found["declared"] != declared:
                return None
            made = cls(declared, str(found["last"]))
            for name, stamp, digest, count, is_refused in LAYOUT.iter_unpack(packed):
                made.files[name] = Known(stamp.rstrip(b"\0"), digest.rstrip(b"\0"), count, is_refused)
        except (ValueError, TypeError, KeyError, binascii.Error, zlib.error, struct.error):
            return None
        return made


def short(text: str, length: int) -> bytes:
    """The beginning of the SHA-256 of a text. It never ends with a zero, which stands for nothing here."""
    digest = bytearray(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:length])
    digest[-1] = digest[-1] or 1
    return bytes(digest)
