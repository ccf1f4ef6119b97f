"""A PostgreSQL of a test's own, in a temporary folder, on loopback. It ends with the test."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest

from reporting.local.child import ending_with_parent
from reporting.local.serving import free_port

# Every character that an address, a shell or Airflow's configuration could take for its own.
PASSWORD = "p@ss:w/rd $HOME %20?#&=~'\"\\é"
USER = "owner"
DATABASE = "airflow"
# The server refuses to run as root.
ACCOUNT = "postgres"


def binaries() -> Path | None:
    """The folder of the newest server that is installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: int(each.parent.name))
    return folders[-1] if folders else None


class Cluster:
    """One server's data and port; `start` and `stop` as often as wanted."""

    def __init__(self, folder: Path, tls: tuple[Path, Path] | None = None) -> None:
        found = binaries()
        assert found is not None
        self._bin = found
        self._folder = folder
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def url(
        self, host: str = "127.0.0.1", password: str = PASSWORD, database: str = DATABASE, query: str = ""
    ) -> str:
        """The address as REPORTING_DATABASE_URL takes it."""
        return f"postgresql://{USER}:{quote(password, safe='')}@{host}:{self.port}/{database}{query}"

    def create(self) -> None:
        """Make the data, the user and the database."""
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        self._own(secret)
        self._run(
            "initdb", "--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256",
            f"--username={USER}", f"--pwfile={secret}", f"--pgdata={self._data}",
        )  # fmt: skip
        self.start()
        with self.connect("postgres") as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE}")

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        options = ["-c", "fsync=off", "-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1"]
        if self._tls:
            certificate, key = self._tls
            for path in self._tls:
                self._own(path)
            options += ["-c", "ssl=on", "-c", f"ssl_cert_file={certificate}", "-c", f"ssl_key_file={key}"]
        self._process = subprocess.Popen(
            self._command("postgres", "-D", str(self._data), "-p", str(self.port), *options),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        pause = threading.Event()
        for _ in range(600):
            assert self._process.poll() is None, "PostgreSQL ended while it started"
            try:
                with self.connect("postgres"):
                    return
            except psycopg2.OperationalError:
                pause.wait(0.1)
        raise AssertionError("PostgreSQL did not come up in a minute")

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop at once, as a crash would; SIGINT ends it in order."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    @contextmanager
    def connect(self, database: str = DATABASE) -> Iterator["psycopg2.extensions.cursor"]:
        """A cursor that commits each statement."""
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database, connect_timeout=5
        )
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(self._command(name, *arguments), check=True, capture_output=True, timeout=600)

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            shutil.chown(path, ACCOUNT)

    def _command(self, name: str, *arguments: str) -> list[str]:
        program = str(self._bin / name)
        if os.geteuid() != 0:
            return ending_with_parent(program, *arguments)
        # The account may not be allowed to run this Python, and a change of account takes back what the kernel was
        # asked before: https://man7.org/linux/man-pages/man1/setpriv.1.html
        account = [f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", "--pdeathsig=TERM"]
        return ["setpriv", *account, program, *arguments]


@contextmanager
def tls_folder() -> Iterator[Path]:
    """A folder that the server's account may enter, for certificates."""
    with tempfile.TemporaryDirectory(prefix="postgres-tls-") as name:
        os.chmod(name, 0o755)  # noqa: S103
        yield Path(name)


@contextmanager
def running(tls: tuple[Path, Path] | None = None) -> Iterator[Cluster]:
    """A server with an empty database `airflow`; skips where PostgreSQL is not installed."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    # Not pytest's folder, which the server's account may not enter.
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, ACCOUNT)
        cluster = Cluster(folder, tls)
        try:
            cluster.create()
            yield cluster
        finally:
            cluster.stop()
