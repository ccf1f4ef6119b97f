"""Draws where a mart comes from: raw tables and seeds at the left, the mart at the right, as SVG without any script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape

CHARACTER, PADDING, HEIGHT, GAP, BETWEEN = 7.3, 10, 24, 10, 60


@dataclass(frozen=True, slots=True)
class Node:
    """A table or model: its name, the layer that it belongs to, what it is made from, and where it is described."""

    name: str
    layer: str
    parents: tuple[str, ...] = ()
    address: str | None = None

    @property
    def width(self) -> float:
        return len(self.name) * CHARACTER + 2 * PADDING


def made_from(nodes: Mapping[str, Node], key: str) -> dict[str, Node]:
    """The mart `key` and everything that it is made from, directly or not. Another mart has a picture of its own."""
    found: dict[str, Node] = {}
    waiting = [key]
    while waiting:
        at = waiting.pop()
        if at not in found:
            ends = at != key and nodes[at].layer == "marts"
            found[at] = replace(nodes[at], parents=()) if ends else nodes[at]
            waiting += found[at].parents
    return found


def columns(nodes: Mapping[str, Node]) -> list[list[str]]:
    """The keys of `nodes` from left to right: each node stands right of all its parents, and near them from top to bottom."""
    depths: dict[str, int] = {}

    def depth(key: str) -> int:
        if key not in depths:
            depths[key] = 1 + max((depth(parent) for parent in nodes[key].parents), default=-1)
        return depths[key]

    for key in nodes:
        depth(key)
    placed: list[list[str]] = [[] for _ in range(1 + max(depths.values()))]
    for key in sorted(nodes, key=lambda key: nodes[key].name):
        placed[depths[key]].append(key)
    rows = {key: float(row) for column in placed for row, key in enumerate(column)}
    for column in placed[1:]:
        # A parent may be in any column before. What has the same middle stays in the order of names.
        column.sort(
            key=lambda key: sum(rows[parent] for parent in nodes[key].parents) / len(nodes[key].parents)
        )
        rows |= {key: float(row) for row, key in enumerate(column)}
    return placed


def svg(nodes: Mapping[str, Node], title: str) -> str:
    """`nodes` and the lines between them, on one line of text: Markdown ends a picture at an empty one."""
    placed = columns(nodes)
    tallest = max(len(column) for column in placed)
    height = tallest * (HEIGHT + GAP)
    places: dict[str, tuple[float, float]] = {}
    left = 1.0
    for column in placed:
        top = (height - len(column) * (HEIGHT + GAP)) / 2 + GAP / 2
        for row, key in enumerate(column):
            places[key] = (left, top + row * (HEIGHT + GAP))
        left += max(nodes[key].width for key in column) + BETWEEN
    drawn = [
        _line(nodes[parent], places[parent], places[key]) for key in nodes for parent in nodes[key].parents
    ]
    drawn += [_box(nodes[key], places[key]) for key in nodes]
    size = f"{left - BETWEEN + 1:.0f} {height:.0f}"
    return (
        f'<svg viewBox="0 0 {size}" width="{size.split()[0]}" role="img" aria-label="{escape(title)}">'
        f"{''.join(drawn)}</svg>"
    )


def _line(parent: Node, begin: tuple[float, float], end: tuple[float, float]) -> str:
    x, y = begin[0] + parent.width, begin[1] + HEIGHT / 2
    middle = (x + end[0]) / 2
    to = end[1] + HEIGHT / 2
    return f'<path d="M{x:.0f},{y:.0f} C{middle:.0f},{y:.0f} {middle:.0f},{to:.0f} {end[0]:.0f},{to:.0f}"/>'


def _box(node: Node, place: tuple[float, float]) -> str:
    x, y = place
    box = (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{node.width:.0f}" height="{HEIGHT}" rx="4"/>'
        f'<text x="{x + PADDING:.0f}" y="{y + 16:.0f}">{escape(node.name)}</text>'
    )
    linked = f'<a href="{escape(node.address)}">{box}</a>' if node.address else box
    return f'<g class="{escape(node.layer)}">{linked}</g>'


def of_manifest(manifest: Mapping[str, Mapping[str, Mapping[str, object]]]) -> dict[str, Node]:
    """Every table, seed, snapshot and model of dbt's manifest by its unique id.

    What it has: https://docs.getdbt.com/reference/artifacts/manifest-json
    """
    found: dict[str, Node] = {}
    for key, each in manifest["sources"].items():
        name = str(each["identifier"])
        is_raw = each["source_name"] != "ops"
        found[key] = Node(name, "raw", address=f"../raw-tables/#{name}" if is_raw else None)
    for key, each in manifest["nodes"].items():
        if each["resource_type"] in ("model", "seed", "snapshot"):
            folder = (
                _words(each["fqn"])[1] if each["resource_type"] == "model" else str(each["resource_type"])
            )
            needs = each.get("depends_on") or {}
            parents = _words(needs.get("nodes", ())) if isinstance(needs, Mapping) else []
            address = f"#{each['name']}" if folder == "marts" else None
            found[key] = Node(str(each["name"]), folder, tuple(parents), address)
    return {
        key: Node(
            node.name,
            node.layer,
            tuple(dict.fromkeys(each for each in node.parents if each in found)),
            node.address,
        )
        for key, node in found.items()
    }


def _words(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else []
