"""The entities of Notion, including those that the owner added."""

from reporting import own_entities
from reporting.entity import NotionDatabase

NOTION = (
    NotionDatabase(
        name="daily_habits",
        description="A row a day of the owner's daily habits.",
        default_name="Daily Disciplines",
    ),
    NotionDatabase(
        name="weekly_habits",
        description="A row a week of the owner's weekly habits.",
        default_name="Weekly Disciplines",
    ),
    NotionDatabase(
        name="monthly_habits",
        description="A row a month of the owner's monthly habits.",
        default_name="Monthly Disciplines",
    ),
    NotionDatabase(
        name="habit_targets",
        description="What the owner wants of each habit, and from when until when.",
        default_name="Habit Targets",
        is_dated=False,
        is_optional=True,
        has_changed=False,
    ),
    *own_entities.NOTION,
)
