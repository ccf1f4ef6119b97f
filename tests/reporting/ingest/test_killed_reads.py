"""A process that is killed in the middle of a long read, and the one that goes on."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from google.cloud import bigquery

from reporting.ingest import states
from reporting.ingest.extract import extract
from reporting.ingest.landing import Landing
from reporting.ingest.load import load
from reporting.settings import ROOT, Settings
from tests.support.hubspot_portal import Portal, filled, portal

CONTACTS = 3_000
PROGRAM = """
import sys
from reporting.ingest import checkpoints
from reporting.sources.registry import entity_named
from reporting.ingest.extract import extract
from reporting.ingest.landing import Landing
from reporting.settings import read_settings
from reporting.sources.hubspot import reader as hubspot
from reporting.sources.http import Policy
from reporting.warehouse.client import connect
checkpoints.LINES_PER_CHECKPOINT = 500
settings = read_settings()
entity = entity_named("hubspot__contacts")
# Slow enough to be killed in the middle: three hundred a second.
portal = hubspot.HubSpot("pat-hidden", sys.argv[1], policy=Policy(requests_per_second=3.0))
extract(connect(settings), settings, entity, "full", hubspot.reader_of(portal, entity), Landing(sys.argv[2]))
"""


def killed(settings: Settings, source: Portal, landing: Path, until_records: int) -> int:
    """Kill the reading process once so many records are safe; how many were."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "plugins"),
        **settings.emulator_variables(),
        "REPORTING_DATASET_PREFIX": settings.dataset_prefix,
        "REPORTING_STATE": str(settings.state),
    }
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, source.address, str(landing)], env=environment)
    path, pause = landing / "hubspot" / "contacts" / "checkpoint-full.json", threading.Event()
    safe = 0
    while safe < until_records and process.poll() is None:
        pause.wait(0.1)
        safe = json.loads(path.read_text())["parts"]["record_count"] if path.exists() else 0
    # In the middle of the part that follows.
    pause.wait(0.5)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    return safe


def test_a_killed_read_goes_on_in_another_process(
    shared_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path
) -> None:
    client, settings = shared_warehouse
    contacts = Portal.entity("contacts")
    client.query_and_wait(f"DELETE FROM {settings.dataset('raw')}.hubspot__contacts WHERE TRUE")
    client.query_and_wait(
        f"DELETE FROM {settings.dataset('ops')}.sync_runs WHERE source = 'hubspot' AND entity = 'contacts'"
    )
    states.forget(settings, contacts)
    folder = tmp_path / "landing"
    modified = [1_700_000_000_000 + number for number in range(CONTACTS)]
    with portal(filled(tmp_path / "portal", modified)) as crm:
        safe = killed(settings, crm, folder, 1_000)
        assert killed(settings, crm, folder, 2_000) > safe
        before = sum(crm.requests().values())
        landing = Landing(str(folder))
        reader = crm.reader("contacts")
        read = extract(client, settings, contacts, "full", reader, landing)
        reader.close()
        truth = crm.truth("contacts")
        # A third of the pages at most, beside the properties and the recycling bin.
        assert sum(crm.requests().values()) - before <= CONTACTS / 100 / 3 + 2
    manifest = landing.manifest(read)
    assert manifest.record_count == CONTACTS
    assert {record.id for page in landing.pages(read) for record in page.records} == truth.keys()
    assert load(client, settings, contacts, landing, read).inserted == CONTACTS
    assert not list(folder.rglob("checkpoint-*"))
