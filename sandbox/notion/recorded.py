"""Serves recorded answers: each file holds `{"data_source": schema, "pages": [rows]}` as the API gave them."""

import json
from collections.abc import Iterator
from pathlib import Path

from sandbox.notion import values
from sandbox.notion.values import Json


class Recorded:
    """The data sources and pages below `folder`. Raises `ValueError` when there are none."""

    def __init__(self, folder: Path) -> None:
        self._answers = [_answer(path) for path in sorted(folder.glob("*.json"))]
        if not self._answers:
            raise ValueError(f"{folder} holds no recorded answers (*.json)")

    def data_sources(self) -> list[Json]:
        """The schemas as recorded."""
        return [answer["data_source"] for answer in self._answers]

    def pages(self) -> Iterator[Json]:
        """The recorded pages; values that an answer had cut are as short as they were recorded."""
        for answer in self._answers:
            for number, page in enumerate(answer["pages"]):
                yield {
                    "id": page["id"],
                    "data_source_id": answer["data_source"]["id"],
                    "created": page["created_time"],
                    "edited": page["last_edited_time"],
                    "in_trash": bool(page.get("in_trash") or page.get("archived")),
                    "created_by": page["created_by"],
                    "edited_by": page["last_edited_by"],
                    "icon": page.get("icon"),
                    "number": number + 1,
                    "values": {
                        value["id"]: [value["type"], value[value["type"]]]
                        for value in page["properties"].values()
                        if value["type"] not in values.COMPUTED_TYPES
                    },
                    "recorded": {
                        value["id"]: value[value["type"]]
                        for value in page["properties"].values()
                        if value["type"] in values.COMPUTED_TYPES
                    },
                }


def _answer(path: Path) -> Json:
    try:
        answer: Json = json.loads(path.read_text())
        if answer["data_source"]["properties"] is None or not isinstance(answer["pages"], list):
            raise TypeError
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f'{path} is no recorded answer: {{"data_source": …, "pages": […]}} in JSON'
        ) from None
    return answer
