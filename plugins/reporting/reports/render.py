"""Renders pages to HTML from templates and assets.

A page contains its data as JSON and loads its styles and scripts from `assets/` beside it. So it also works when it is opened
from a disk, where a browser does not let it fetch data. Its content security policy forbids every other request. The name of
an asset contains a digest of its content: a changed asset has another name, so browsers may cache assets forever.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reporting.reports import formats, overview
from reporting.reports.page import Content, Page
from reporting.settings import ROOT

HERE = Path(__file__).parent
LIBRARY = ROOT / "vendor" / "echarts" / "echarts.min.js"
ASSETS = HERE / "assets"
# 'self' does not match pages on a disk, so `file:` is allowed as well; only pages on a disk can load such addresses. The
# charts set style attributes on their tooltips.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' file:",
        "style-src 'self' file:",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' file: data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
# The size of a small chart's drawing area; CSS stretches it.
SPARK_WIDTH, SPARK_HEIGHT = 120, 28


def render(pages: Mapping[Page, Content], now: datetime, timezone: str) -> dict[str, bytes]:
    """Every file of the report by name, in the order in which they must be written: assets first, the overview last."""
    files = {_named(path): path.read_bytes() for path in _assets().values()}
    menu = [(f"{overview.NAME}.html", overview.TITLE), *((page.file, page.title) for page in pages)]
    common = {
        "menu": menu,
        "policy": POLICY,
        "as_of": now.astimezone(ZoneInfo(timezone)),
        "timezone": timezone,
    }
    for page, content in pages.items():
        files[page.file] = _page(page.name, page.title, content, common)
    files[f"{overview.NAME}.html"] = _page(overview.NAME, overview.TITLE, overview.of(pages), common)
    return files


def _page(name: str, title: str, content: Content, common: Mapping[str, Any]) -> bytes:
    template = _environment().get_template(f"{name}.html")
    return template.render(
        common,
        name=name,
        title=title,
        file=f"{name}.html",
        data=content,
        tiles=content.tiles(),
        payload=content.payload(),
        has_charts=f"{name}.js" in _assets(),
    ).encode()


def asset(name: str) -> str:
    """The address of an asset relative to a page."""
    return _named(_assets()[name])


def spark(values: tuple[float | None, ...]) -> Markup:
    """A small line chart of `values` as SVG; empty if there are fewer than two."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return Markup("")
    least, most = min(known), max(known)
    height = (most - least) or 1.0
    step = SPARK_WIDTH / (len(values) - 1)
    points = [
        (round(place * step, 1), round(SPARK_HEIGHT - 3 - (value - least) / height * (SPARK_HEIGHT - 6), 1))
        for place, value in enumerate(values)
        if value is not None
    ]
    line = " ".join(f"{x},{y}" for x, y in points)
    return Markup(
        '<svg class="spark" viewBox="-3 0 {} {}" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<polyline points="{}"/></svg>'
    ).format(SPARK_WIDTH + 6, SPARK_HEIGHT, line)


@cache
def _assets() -> dict[str, Path]:
    return {path.name: path for path in (*sorted(ASSETS.iterdir()), LIBRARY)}


@cache
def _named(path: Path) -> str:
    stem, _, suffix = path.name.partition(".")
    return f"assets/{stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}.{suffix}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(formats, name)
        for name in (
            "age",
            "ago",
            "ahead",
            "breakable",
            "compact",
            "day",
            "duration",
            "month",
            "number",
            "percent",
        )
    }
    environment.globals |= {"asset": asset, "spark": spark, "count": formats.count}
    # NaN and infinity are not valid JSON, and browsers would not parse them.
    environment.policies["json.dumps_kwargs"] = {
        "allow_nan": False,
        "ensure_ascii": False,
        "separators": (",", ":"),
    }
    return environment
