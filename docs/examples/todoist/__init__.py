"""Todoist: https://developer.todoist.com/api/v1/ (Tasks, Pagination)."""

from reporting.sources.rest import Bearer, Gone, NextCursor, Property, Resource, rest_source

TASKS = Resource(
    name="tasks",
    description="Tasks of Todoist, from when they were first met while open.",
    path="tasks",
    records="results",
    size="limit",
    page_size=200,
    paging=NextCursor("next_cursor", "cursor"),
    item="tasks/{key}",
    gone=Gone("is_deleted"),
    columns={
        "content": Property("text", "What is to be done."),
        "project_id": Property("text", "Key of its project."),
        "priority": Property("number", "From 1, the usual, to 4, urgent."),
        "due.date": Property("text", "When it is due, a day or a time."),
        "checked": Property("bool", "Whether it is done."),
        "added_at": Property("datetime", "When it was written down."),
    },
)
BASE = "https://api.todoist.com/api/v1"
SOURCE = rest_source(name="todoist", title="Todoist", base=BASE, auth=Bearer(), resources=(TASKS,))
