"""After a purge nobody is in the report who is in no mart any more."""

from copy import replace
from pathlib import Path

from reporting.cli.purge_person import _report_anew
from reporting.reports.build import build
from reporting.reports.marts import Marts
from reporting.reports.site import Site
from tests.reports.conftest import Fill
from tests.reports.sample_warehouse import NOW
from tests.reports.test_pages import silent


def test_the_report_is_made_anew_where_there_is_one(marts: Marts, hold: Fill, tmp_path: Path) -> None:
    settings = replace(marts.settings, site_uri=str(tmp_path / "site"))
    site = Site(settings.site_uri)
    assert _report_anew(marts.client, settings) == []
    assert not site.read("index.html")

    hold("relationships", silent("Ada Erased", 90, 10), silent("Ben Kept", 90, 10))
    build(marts.client, settings, NOW)
    assert b"Ada Erased" in (site.read("relationships.html") or b"")
    hold("relationships", silent("Ben Kept", 90, 10))
    assert _report_anew(marts.client, settings) == []
    page = site.read("relationships.html") or b""
    assert b"Ben Kept" in page
    assert b"Ada Erased" not in page


def test_a_report_that_cannot_be_made_is_a_problem(marts: Marts, tmp_path: Path) -> None:
    settings = replace(marts.settings, site_uri=str(tmp_path / "site"), dataset_prefix="nowhere_")
    Site(settings.site_uri).write({"index.html": b"before"})
    (said,) = _report_anew(marts.client, settings)
    assert "could not be made again" in said
