"""Shows parts of the marts as tables in the terminal."""

from google.cloud import bigquery
from rich.table import Table

from reporting.reports.formats import count
from reporting.settings import Settings


def habits(client: bigquery.Client, settings: Settings) -> Table:
    """The current month of the mart `habit_metrics`."""
    sql = f"""
        SELECT habit, period, completion_rate, current_streak, longest_streak, is_target_met
        FROM `{settings.dataset("marts")}.habit_metrics`
        QUALIFY ROW_NUMBER() OVER (PARTITION BY habit_id, period ORDER BY month_on DESC) = 1
        ORDER BY period, habit LIMIT 20
    """
    table = Table(title="marts.habit_metrics, the latest month of each habit")
    for name in ("habit", "period"):
        table.add_column(name)
    for name in ("rate", "streak", "longest", "target met"):
        table.add_column(name, justify="right")
    for row in client.query_and_wait(sql):
        rate = "" if row["completion_rate"] is None else f"{row['completion_rate']:.0%}"
        met = {True: "yes", False: "no", None: ""}[row["is_target_met"]]
        streaks = (
            "" if each is None else str(each) for each in (row["current_streak"], row["longest_streak"])
        )
        table.add_row(row["habit"], row["period"], rate, *streaks, met)
    return table


def relationships(client: bigquery.Client, settings: Settings) -> Table:
    """People in the mart `relationships` with whom contact is going cold, the longest silence first."""
    sql = f"""
        SELECT full_name, company_name, last_touch_type, days_since_last_touch, cadence_days, touches_365_days
        FROM `{settings.dataset("marts")}.relationships`
        WHERE is_going_cold
        ORDER BY days_since_last_touch DESC, person_id LIMIT 8
    """
    table = Table(title="marts.relationships, those going cold")
    for name in ("name", "company", "last touch"):
        table.add_column(name)
    for name in ("days ago", "usually every", "touches a year"):
        table.add_column(name, justify="right")
    for row in client.query_and_wait(sql):
        cadence = count(round(row["cadence_days"]), "day")
        days, touches = f"{row['days_since_last_touch']:,}", f"{row['touches_365_days']:,}"
        table.add_row(row["full_name"], row["company_name"], row["last_touch_type"], days, cadence, touches)
    return table


def birthdays(client: bigquery.Client, settings: Settings) -> Table:
    """The next birthdays, from the mart `relationships`."""
    sql = f"""
        SELECT full_name, next_birthday_on, age_at_birthday, ARRAY_TO_STRING(sources, ', ') AS sources
        FROM `{settings.dataset("marts")}.relationships`
        WHERE next_birthday_on IS NOT NULL
        ORDER BY next_birthday_on, person_id LIMIT 5
    """
    table = Table(title="marts.relationships, the next birthdays")
    for name in ("name", "birthday"):
        table.add_column(name)
    table.add_column("turns", justify="right")
    table.add_column("known from")
    for row in client.query_and_wait(sql):
        age = "" if row["age_at_birthday"] is None else str(row["age_at_birthday"])
        table.add_row(row["full_name"] or "", f"{row['next_birthday_on']:%d %B}", age, row["sources"])
    return table


def people(client: bigquery.Client, settings: Settings) -> Table:
    """The number of people in the mart `people`, by the sources in which they are known."""
    sql = f"""
        SELECT ARRAY_TO_STRING(sources, ' and ') AS sources, COUNT(*) AS people, SUM(records_count) AS records
        FROM `{settings.dataset("marts")}.people`
        GROUP BY sources ORDER BY sources
    """
    table = Table(title="marts.people, people by their sources")
    table.add_column("sources")
    for name in ("people", "records"):
        table.add_column(name, justify="right")
    for row in client.query_and_wait(sql):
        table.add_row(row["sources"], str(row["people"]), str(row["records"]))
    return table


def matches(client: bigquery.Client, settings: Settings) -> Table:
    """Two examples for each reason in the mart `people_matches`: first joined pairs, then doubtful ones."""
    sql = f"""
        SELECT is_match, full_name, other_full_name, evidence, value, doubt, pairs
        FROM (
            SELECT *, COUNT(*) OVER (PARTITION BY is_match, evidence, doubt) AS pairs
            FROM `{settings.dataset("marts")}.people_matches`
        )
        QUALIFY ROW_NUMBER() OVER (
            PARTITION BY is_match, evidence, doubt ORDER BY full_name = other_full_name, record_id, other_record_id
        ) <= 2
        ORDER BY is_match DESC, evidence, doubt, record_id
    """
    table = Table(title="marts.people_matches, some pairs of each reason")
    for name in ("one person", "record", "other record", "because of"):
        table.add_column(name)
    table.add_column("such pairs", justify="right")
    for row in client.query_and_wait(sql):
        answer = "yes" if row["is_match"] else f"no: {row['doubt']}"
        names = (row["full_name"] or "(no name)", row["other_full_name"] or "(no name)")
        table.add_row(answer, *names, f"{row['evidence']} {row['value']}".strip(), str(row["pairs"]))
    return table
