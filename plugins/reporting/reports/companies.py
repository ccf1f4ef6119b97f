"""The page of companies and deals: open deals, won deals, and deals without progress."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from reporting.reports import formats
from reporting.reports.habits import months_back
from reporting.reports.marts import Marts
from reporting.reports.page import MOST_ROWS, Page, ShortList, Tile

# The number of months for which closed deals are counted.
MONTHS = 36
YEAR = 12
# A deal that is in one stage for more days than this counts as without progress.
STILL_DAYS = 30
LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """An open deal. Amounts are in the portal's currency."""

    name: str
    company: str | None
    pipeline: str
    stage: str
    owner: str | None
    amount: Decimal | None
    close_on: date | None
    days_in_stage: int | None
    is_stage_since_known: bool

    @property
    def is_still(self) -> bool:
        """Whether it has been in its stage for more than `STILL_DAYS`."""
        return self.days_in_stage is not None and self.days_in_stage > STILL_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of deals that are alike in all these fields. `month_on` is the month in which they close or were closed."""

    pipeline: str
    owner: str
    stage: str
    stage_order: int
    is_closed: bool
    is_won: bool
    month_on: date | None
    count: int
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A company with the amounts of its deals."""

    name: str
    industry: str | None
    owner: str | None
    contacts: int
    deals: int
    open_amount: Decimal
    won_amount: Decimal
    last_engagement_on: date | None


@dataclass(frozen=True, slots=True)
class Companies:
    """The largest open deals, groups of all deals, and the companies that matter most."""

    today: date
    deals: tuple[Deal, ...]
    still_count: int
    late_count: int
    groups: tuple[Group, ...]
    companies: tuple[Company, ...]
    companies_count: int

    @property
    def this_month(self) -> date:
        """The first day of this month."""
        return self.today.replace(day=1)

    @property
    def open_count(self) -> int:
        """How many deals are open."""
        return sum(group.count for group in self.groups if not group.is_closed)

    @property
    def open_amount(self) -> Decimal:
        """The total amount of the open deals."""
        return sum((group.amount for group in self.groups if not group.is_closed), Decimal(0))

    def pipelines(self) -> list[str]:
        """The pipelines that have deals."""
        return sorted({group.pipeline for group in self.groups})

    def owners(self) -> list[str]:
        """The owners who have deals."""
        return sorted({group.owner for group in self.groups if group.owner})

    def won(self, month_on: date) -> Decimal:
        """The total amount of the deals that were won in a month."""
        return sum(
            (group.amount for group in self.groups if group.is_won and group.month_on == month_on), Decimal(0)
        )

    def is_late(self, deal: Deal) -> bool:
        """Whether its closing day has passed."""
        return deal.close_on is not None and deal.close_on < self.today

    def tiles(self) -> Sequence[Tile]:
        """Open deals, won deals, the win rate, and deals without progress."""
        if not self.groups:
            return (Tile("Deals", "none yet", "They come from HubSpot."),)
        year = set(months_back(self.this_month, YEAR))
        ended = [group for group in self.groups if group.is_closed and group.month_on in year]
        won = sum(group.count for group in ended if group.is_won)
        lost = sum(group.count for group in ended if not group.is_won)
        trend = tuple(float(self.won(month_on)) for month_on in months_back(self.this_month, YEAR))
        return (
            Tile("Open deals", formats.compact(self.open_amount), formats.count(self.open_count, "deal")),
            Tile(
                "Won in 12 months",
                formats.compact(sum((group.amount for group in ended if group.is_won), Decimal(0))),
                formats.count(won, "deal"),
                trend=trend,
            ),
            Tile(
                "Win rate in 12 months",
                formats.percent(won / (won + lost) if won + lost else None),
                f"{won:,} won, {lost:,} lost",
            ),
            Tile(
                "Standing still",
                f"{self.still_count:,}",
                f"over {STILL_DAYS} days in a stage; {self.late_count:,} past the closing day",
                "warning" if self.still_count or self.late_count else "good",
            ),
        )

    def lists(self) -> Sequence[ShortList]:
        """The largest open deals, and those whose closing day is next or has passed."""
        lines = tuple(
            (deal.name, f"{formats.number(deal.amount)} · {deal.stage}") for deal in self.deals[:LISTED]
        )
        dated = sorted(
            ((deal.close_on, deal) for deal in self.deals if deal.close_on),
            key=lambda each: (each[0], each[1].name),
        )
        closing = tuple(
            (deal.name, f"{formats.day(on)}{', late' if on < self.today else ''}")
            for on, deal in dated[:LISTED]
        )
        return (
            ShortList("Largest open deals", lines, "No deal is open."),
            ShortList("To close next", closing, "No open deal has a closing day."),
        )

    def payload(self) -> dict[str, Any]:
        """The groups as one list each; instead of names they hold indexes into the lists of names."""
        pipelines, owners = self.pipelines(), ["", *self.owners()]
        stages = sorted({(group.pipeline, group.stage_order, group.stage) for group in self.groups})
        names = [[pipelines.index(pipeline), stage] for pipeline, _, stage in stages]
        places = {(pipeline, stage): place for place, (pipeline, _, stage) in enumerate(stages)}
        return {
            "month": f"{self.this_month:%Y-%m}",
            "pipelines": pipelines,
            "owners": owners,
            "stages": names,
            "groups": [
                [
                    places[group.pipeline, group.stage],
                    owners.index(group.owner),
                    "won" if group.is_won else "lost" if group.is_closed else "open",
                    f"{group.month_on:%Y-%m}" if group.month_on else None,
                    group.count,
                    round(float(group.amount), 2),
                ]
                for group in self.groups
            ],
        }


def read(marts: Marts) -> Companies:
    """Query the marts `deals` and `companies`."""
    today = marts.day(marts.today)
    groups = marts.rows(
        f"""
        SELECT COALESCE(pipeline, pipeline_id, '(no pipeline)') AS pipeline_name, IFNULL(owner, '') AS owner_name,
            IFNULL(stage, '(no stage)') AS stage_name, MAX(IFNULL(stage_order, 999)) AS place, is_closed, is_won,
            DATE_TRUNC(close_on, MONTH) AS month_on, COUNT(*) AS deals, SUM(IFNULL(amount, 0)) AS worth,
            COUNTIF(NOT is_closed AND days_in_stage > {STILL_DAYS}) AS still,
            COUNTIF(NOT is_closed AND close_on < {today}) AS late
        FROM {marts.mart("deals")}
        WHERE NOT is_closed OR close_on >= DATE_SUB({today}, INTERVAL {MONTHS} MONTH)
        GROUP BY pipeline_name, owner_name, stage_name, is_closed, is_won, month_on
        """
    )
    deals = marts.rows(
        f"""
        SELECT deals.deal_name, companies.company_name, IFNULL(deals.pipeline, deals.pipeline_id) AS pipeline_name,
            deals.stage, deals.owner, deals.amount, deals.close_on, deals.days_in_stage, deals.is_stage_since_known
        FROM {marts.mart("deals")} AS deals
        LEFT JOIN {marts.mart("companies")} AS companies ON deals.company_id = companies.company_id
        WHERE NOT deals.is_closed
        ORDER BY deals.amount DESC NULLS LAST, deals.deal_id LIMIT {MOST_ROWS}
        """
    )
    companies = marts.rows(
        f"""
        SELECT company_name, domain, industry, owner, contacts_count, deals_count, open_deals_amount, won_amount,
            last_engagement_at, COUNT(*) OVER () AS companies
        FROM {marts.mart("companies")}
        ORDER BY open_deals_amount DESC, won_amount DESC, last_engagement_at DESC NULLS LAST, company_id LIMIT {MOST_ROWS}
        """
    )
    zone = ZoneInfo(marts.settings.timezone)
    return Companies(
        today=marts.today,
        deals=tuple(_deal(row) for row in deals),
        still_count=sum(row["still"] for row in groups),
        late_count=sum(row["late"] for row in groups),
        groups=tuple(_group(row) for row in groups),
        companies=tuple(_company(row, zone) for row in companies),
        companies_count=companies[0]["companies"] if companies else 0,
    )


def _deal(row: Any) -> Deal:
    return Deal(
        name=row["deal_name"] or "(no name)",
        company=row["company_name"],
        pipeline=row["pipeline_name"] or "(no pipeline)",
        stage=row["stage"] or "(no stage)",
        owner=row["owner"],
        amount=row["amount"],
        close_on=row["close_on"],
        days_in_stage=row["days_in_stage"],
        is_stage_since_known=row["is_stage_since_known"],
    )


def _group(row: Any) -> Group:
    return Group(
        pipeline=row["pipeline_name"],
        owner=row["owner_name"],
        stage=row["stage_name"],
        stage_order=row["place"],
        is_closed=row["is_closed"],
        is_won=row["is_won"],
        month_on=row["month_on"],
        count=row["deals"],
        amount=Decimal(row["worth"]),
    )


def _company(row: Any, zone: ZoneInfo) -> Company:
    last = row["last_engagement_at"]
    return Company(
        name=row["company_name"] or row["domain"] or "(no name)",
        industry=row["industry"],
        owner=row["owner"],
        contacts=row["contacts_count"],
        deals=row["deals_count"],
        open_amount=row["open_deals_amount"],
        won_amount=row["won_amount"],
        last_engagement_on=last.astimezone(zone).date() if last else None,
    )


PAGE = Page("companies", "Companies & deals", read)
