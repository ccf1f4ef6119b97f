"""How one feels, pushed from a phone."""

from reporting.sources.stream import Property, StreamTable

ENTITIES = (
    StreamTable(
        name="mood",
        description="How one felt, from a phone's shortcut.",
        key="day",
        columns={
            "day": Property("date", "Day."),
            "score": Property("number", "From 1 to 10."),
            "remark": Property("text", "Why."),
        },
    ),
)
