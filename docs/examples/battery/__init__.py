"""The battery of a laptop: a CSV file a day, which a script of the owner's drops."""

from reporting.sources.files import FileTable, Property

COLUMNS = {
    "Time": Property("datetime", "When it was measured; UTC where the file says no offset."),
    "Battery %": Property("number", "Charge, in percent."),
    "Watts": Property("number", "What flows in, or below zero out, in watts."),
}
LOG = FileTable(
    name="battery_log", description="Battery of the laptop.", pattern="battery/*.csv", columns=COLUMNS
)
ENTITIES = (LOG,)
