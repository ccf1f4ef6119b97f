"""What is read of the tides."""

from reporting.entity import Entity

TIDES = (Entity(source="tides", name="heights", description="Heights of the water in harbours."),)
