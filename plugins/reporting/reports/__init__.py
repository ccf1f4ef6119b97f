"""The interactive report: a folder of pages that work by themselves, made from the marts and the ledger.

A page is one module here with what it reads and a `PAGE`, one template in `templates/` and, where it has charts, one script
in `assets/`, the three of one name. To add a page:

1. Write `plugins/reporting/reports/NAME.py`: a function that takes `Marts` and returns a frozen dataclass with the methods of
   `page.Content`, and `PAGE = Page("NAME", "Title", read)`.
2. Write `templates/NAME.html`, which extends `base.html`; there `data` is what the function returned. What the charts need
   comes from `payload()`, and `assets/NAME.js` draws it with the helpers of `assets/report.js`.
3. Add it to `PAGES` in `build.py`. The menu, and its tiles and lists on the overview, follow by themselves.

What is embedded in a page is summed up by the warehouse first: its weight must not grow with the number of engagements.
Nothing here imports Airflow.
"""

# The DAG that makes it; whoever may read the DAG may read the report.
DAG = "report_personal__dashboard__daily"
