"""The list of everything that is read: one `Entity` a raw table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """What is read from a source into one raw table.

    `default_name` is what it is called in the source unless configured otherwise. `is_dated` says whether a row
    has a date of its own. `is_optional` says that a source without it is complete. `has_changed` says whether
    there is a cheaper read than all of it: a small entity is swept each time.
    """

    source: str
    name: str
    description: str
    default_name: str
    is_dated: bool = True
    is_optional: bool = False
    has_changed: bool = True

    @property
    def table(self) -> str:
        """The raw table's name within its dataset."""
        return f"{self.source}__{self.name}"


NOTION = (
    Entity(
        source="notion",
        name="daily_habits",
        description="A row a day of the owner's daily habits.",
        default_name="Daily Disciplines",
    ),
    Entity(
        source="notion",
        name="weekly_habits",
        description="A row a week of the owner's weekly habits.",
        default_name="Weekly Disciplines",
    ),
    Entity(
        source="notion",
        name="monthly_habits",
        description="A row a month of the owner's monthly habits.",
        default_name="Monthly Disciplines",
    ),
    Entity(
        source="notion",
        name="habit_targets",
        description="What the owner wants of each habit, and from when until when.",
        default_name="Habit Targets",
        is_dated=False,
        is_optional=True,
        has_changed=False,
    ),
)

ENTITIES = NOTION
