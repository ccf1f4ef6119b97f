"""A landing on a disk that is really full: a small one in memory, mounted for one process alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.cloud import bigquery

from reporting.ingest import states
from reporting.ingest.extract import extract
from reporting.ingest.landing import Landing, LandingError, raise_if_full
from reporting.ingest.load import load
from reporting.settings import ROOT, Settings
from tests.support.hubspot_portal import Portal, filled, portal

CONTACTS = 3_000
IN_A_SMALL_DISK = ("unshare", "--mount", "--map-root-user", "sh", "-c")
# Half of what is read fits, and then, when there is room, all of it.
PROGRAM = """
import subprocess, sys
from reporting.ingest import checkpoints, landing
from reporting.ingest.landing import writing
from reporting.sources.registry import entity_named
from reporting.ingest.extract import extract
from reporting.settings import read_settings
from reporting.sources.hubspot import reader as hubspot
from reporting.sources.http import Policy
from reporting.warehouse.client import connect
checkpoints.LINES_PER_CHECKPOINT = writing.LINES_PER_PART = 100
settings = read_settings()
entity = entity_named("hubspot__contacts")
def read():
    portal = hubspot.HubSpot("pat-hidden", sys.argv[1], policy=Policy(1_000_000))
    reader = hubspot.reader_of(portal, entity)
    try:
        return extract(connect(settings), settings, entity, "full", reader, landing.Landing(sys.argv[2]))
    finally:
        reader.close()
try:
    read()
except landing.LandingError as error:
    print(error)
else:
    sys.exit("the disk was not full")
subprocess.run(["mount", "-o", "remount,size=64m", sys.argv[2]], check=True)
folder = read()
subprocess.run(["cp", "-r", f"{sys.argv[2]}/.", sys.argv[3]], check=True)
print(folder)
"""


def can_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    command = (*IN_A_SMALL_DISK, f"mount -t tmpfs -o size=64k none {folder}")
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_full_disk_is_said_and_the_next_run_has_everything(
    shared_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path
) -> None:
    small, kept = tmp_path / "small", tmp_path / "kept"
    for folder in (small, kept):
        folder.mkdir()
    if not can_mount(small):
        pytest.skip("this machine lets nobody mount a disk of their own")
    client, settings = shared_warehouse
    contacts = Portal.entity("contacts")
    client.query_and_wait(f"DELETE FROM {settings.dataset('raw')}.hubspot__contacts WHERE TRUE")
    client.query_and_wait(f"DELETE FROM {settings.dataset('ops')}.sync_runs WHERE TRUE")
    states.forget(settings, contacts)
    modified = [1_700_000_000_000 + number for number in range(CONTACTS)]
    with portal(filled(tmp_path / "portal", modified)) as crm:
        done = subprocess.run(
            [
                *(
                    *IN_A_SMALL_DISK,
                    'mount -t tmpfs -o size=96k none "$2" && exec "$0" -c "$3" "$1" "$2" "$4"',
                ),
                *(sys.executable, crm.address, str(small), PROGRAM, str(kept)),
            ],
            env=os.environ
            | {
                "PYTHONPATH": str(ROOT / "plugins"),
                **settings.emulator_variables(),
                "REPORTING_DATASET_PREFIX": settings.dataset_prefix,
                "REPORTING_STATE": str(settings.state),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said, folder = done.stdout.splitlines()
        assert "there is no room for what is read" in said
        assert "pat-hidden" not in done.stdout + done.stderr
        landing = Landing(str(kept))
        # What was cut off has no manifest, and is never loaded.
        runs = landing.run_ids("hubspot", "contacts")
        assert len(runs) == 2
        with pytest.raises(LandingError, match=r"has no manifest\.json"):
            load(client, settings, contacts, landing, f"hubspot/contacts/{runs[0]}")
        assert load(client, settings, contacts, landing, folder).inserted == CONTACTS
        # Read once more from the beginning, nothing is different.
        reader = crm.reader("contacts")
        again = Landing(str(tmp_path / "again"))
        read = extract(client, settings, contacts, "full", reader, again)
        reader.close()
        assert not load(client, settings, contacts, again, read).has_changes


def test_another_error_of_the_disk_stays_what_it_is() -> None:
    raise_if_full(OSError(5, "Input/output error"), "landing")
