"""From one version to the next by script/upgrade, and back when the next does not come up."""

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reporting.local.bigquery import LocalBigQuery
from reporting.settings import ROOT, read_settings
from reporting.warehouse.client import connect
from reporting.web.health import PATH
from tests.support import postgres
from tests.support.production_server import Production

pytestmark = pytest.mark.heavy
WRITER = ("-c", "user.name=owner", "-c", "user.email=owner@example.org", "-c", "commit.gpgsign=false")
NEXT_REVISION = '''
"""A column that the next version has."""

from alembic import op
import sqlalchemy as sa

revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    from reporting.settings import read_settings

    op.add_column("sync_runs", sa.Column("of_the_next", sa.String()), schema=read_settings().dataset("ops"))


def downgrade() -> None:
    raise NotImplementedError
'''

# The version's code and environments have come, and production is stopped.
KILLED = """
case $0 in *script/upgrade)
    set -T
    trap '[ "$BASH_COMMAND" != "script/start --prepare" ] || kill -KILL $$' DEBUG
esac
"""


class Deployment:
    """A clone of the repository in which production runs, as on a machine of one's own."""

    def __init__(self, production: Production, folder: Path) -> None:
        self.production = production
        self.folder = folder
        self.pid = folder.parent / "pid"
        # One whose parent does not ask for it stays as a zombie.
        self.stop = (
            f"p=$(cat {self.pid}); kill $p; while grep -qs '^State:.[^Z]' /proc/$p/status; do sleep 0.1; done"
        )
        self.git("clone", "--quiet", str(ROOT), str(folder), at=ROOT)
        self.versions = {"first": self.git("rev-parse", "HEAD")}

    def git(self, *arguments: str, at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *WRITER, *arguments],
            cwd=at or self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, name: str, *paths: str) -> None:
        """The next version, with what is in `paths`; the folder stays at the one before."""
        self.git("add", "--", *paths)
        self.git("commit", "--quiet", "--message", name)
        self.versions[name] = self.git("rev-parse", "HEAD")
        self.git("tag", name)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.production.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )

    def upgrade(self, version: str, **environment: str) -> subprocess.CompletedProcess[str]:
        log, pid = shlex.quote(str(self.production.log)), shlex.quote(str(self.pid))
        # As a service manager starts it: not as a child of this shell.
        start = f"setsid script/start >>{log} 2>&1 & echo $! >{pid}"
        options = ("--stop", self.stop, "--start", start, "--patience", "90")
        return self.run("script/upgrade", *options, version, **environment)

    def is_healthy(self) -> bool:
        return httpx.get(f"{self.production.address}{PATH}", timeout=120).status_code == 200

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def deployment(bigquery_endpoint: LocalBigQuery, tmp_path: Path) -> Iterator[Deployment]:
    """The first version, running."""
    with postgres.running() as cluster:
        production = Production(cluster.url(), tmp_path / "production", bigquery_endpoint)
        # How this machine reaches its package index, and what it has fetched before.
        production.environment |= {
            "HOME": str(Path.home()),
            **{name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_", "SSL_"))},
        }
        production.root = tmp_path / "clone"
        deployment = Deployment(production, production.root)
        try:
            done = deployment.run("script/bootstrap", "--production")
            assert done.returncode == 0, done.stderr
            process = production.launch()
            production.await_health()
            deployment.pid.write_text(str(process.pid))
            yield deployment
        finally:
            deployment.run("bash", "-c", deployment.stop)
            production.kill()


def columns(deployment: Deployment) -> set[str]:
    settings = read_settings(deployment.production.environment)
    table = connect(settings).get_table(f"{settings.dataset('ops')}.sync_runs")
    return {field.name for field in table.schema}


def test_to_the_next_version_and_back_from_a_broken_one(deployment: Deployment) -> None:
    folder = deployment.folder
    head = sorted(path.name for path in (folder / "migrations" / "versions").glob("*.py"))[-1].partition("_")[
        0
    ]
    (folder / "migrations" / "versions" / "9999_next.py").write_text(NEXT_REVISION.format(head=head))
    deployment.commit("second", "migrations")
    # Its preparation still works; the running version is what does not come up.
    (folder / "Procfile").write_text(
        (folder / "Procfile").read_text().replace("airflow scheduler", "airflow no-such-thing")
    )
    deployment.commit("third", "Procfile")
    deployment.git("checkout", "--quiet", "--detach", deployment.versions["first"])
    token = {"Authorization": f"Bearer {deployment.production.token()}"}
    body = {"key": "kept", "value": "through it all"}
    httpx.post(
        f"{deployment.production.address}/api/v2/variables", json=body, headers=token
    ).raise_for_status()

    killed = folder.parent / "killed"
    killed.write_text(KILLED)
    assert deployment.upgrade("second", BASH_ENV=str(killed)).returncode == -signal.SIGKILL
    assert deployment.head() == deployment.versions["second"]
    with pytest.raises(httpx.ConnectError):
        deployment.is_healthy()

    done = deployment.upgrade("second")
    assert done.returncode == 0, done.stdout + done.stderr
    assert deployment.head() == deployment.versions["second"]
    assert deployment.is_healthy()
    assert "of_the_next" in columns(deployment)
    (backup,) = (folder / "var" / "backups").iterdir()
    assert backup.stat().st_mode & 0o777 == 0o600

    done = deployment.upgrade("third")
    assert done.returncode == 1
    assert "third did not come up" in done.stderr
    assert deployment.head() == deployment.versions["second"]
    assert deployment.is_healthy()
    token = {"Authorization": f"Bearer {deployment.production.token()}"}
    answer = httpx.get(
        f"{deployment.production.address}/api/v2/variables/kept", headers=token
    ).raise_for_status()
    assert answer.json()["value"] == "through it all"
    said = done.stdout + done.stderr + deployment.production.said()
    for secret in (postgres.PASSWORD, *deployment.production.secrets().values()):
        assert secret not in said

    assert "there is no version" in deployment.upgrade("fourth").stderr
    (folder / "README.md").write_text("changed")
    assert "has changes of its own" in deployment.upgrade("third").stderr
    assert deployment.is_healthy()
