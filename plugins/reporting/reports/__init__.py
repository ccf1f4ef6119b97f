"""The interactive report: a folder of pages that work by themselves, made from the marts and the sync log.

A page consists of a module here with its queries and a `PAGE`, a template in `templates/`, and, if it has charts, a script in
`assets/`. All three have the same name. To add a page:

1. Write `plugins/reporting/reports/NAME.py`: a function that takes `Marts` and returns a frozen dataclass with the methods of
   `page.Content`, and `PAGE = Page("NAME", "Title", read)`.
2. Write `templates/NAME.html`, which extends `base.html`; in it, `data` is what the function returned. The data of the charts
   comes from `payload()`, and `assets/NAME.js` draws it with the helpers in `assets/report.js`.
3. Add it to `PAGES` in `build.py`. The menu and the overview then show it.
4. List the marts that it reads in `dbt/models/exposures.yml`.

The warehouse aggregates all data before it is embedded in a page, so that pages do not grow with the number of records.
Nothing here imports Airflow.
"""

# The DAG that makes the report. Everybody who may read this DAG in Airflow may read the report.
DAG = "report_personal__dashboard__daily"
