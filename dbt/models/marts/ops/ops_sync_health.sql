with

runs as (

    select
        *,
        committed_at > timestamp_sub({{ now() }}, interval 24 hour) as is_of_a_day,
        row_number() over (
            partition by source, entity, is_complete_run
            order by committed_at desc, run_id asc
        ) as nth_latest,
        row_number() over (
            partition by source, entity, rows_in_source is null
            order by committed_at desc, run_id asc
        ) as nth_counted
    from {{ ref('stg_ops__sync_runs') }}
    where is_complete

),

-- Replays and runs over a window of the past may change the table, but do not make its data fresher.
latest as (

    select
        source,
        entity,
        max(if(is_complete_run, committed_at, null)) as last_complete_at,
        max(if(is_complete_run and refresh = 'full', committed_at, null)) as last_swept_at,
        logical_or(is_complete_run and refresh = 'changed') as is_hourly,
        max(if(is_change, committed_at, null)) as last_changed_at,
        max(cursor_at) as read_until_at,
        countif(is_complete_run and is_of_a_day) as runs_of_a_day,
        sum(if(is_complete_run and is_of_a_day, request_count, 0)) as requests_of_a_day,
        sum(if(is_complete_run and is_of_a_day, caps_met, 0)) as caps_met_of_a_day
    from runs
    group by source, entity
    having last_complete_at is not null

),

last_runs as (

    select * from runs
    where is_complete_run and nth_latest = 1

),

counted as (

    select * from runs
    where
        nth_counted = 1
        and rows_in_source is not null

),

changes as (

    select
        *,
        row_number() over (
            partition by source, entity
            order by first_seen_at desc, change_id asc
        ) as nth_latest
    from {{ ref('stg_ops__schema_changes') }}
    where change != 'first'

),

drift as (

    select
        source,
        entity,
        countif(first_seen_at > timestamp_sub({{ now() }}, interval 30 * 24 hour)) as schema_changes_of_a_month,
        max(if(nth_latest = 1, concat(change, ': ', coalesce(name_after, name_before)), null)) as last_schema_change,
        max(first_seen_at) as last_schema_change_at
    from changes
    group by source, entity

)

select
    latest.source,
    latest.entity,
    case
        when {{ is_older_than('latest.last_complete_at', var('stale_after_days')) }} then 'stale'
        when counted.rows_in_source != counted.rows_in_warehouse then 'apart'
        when latest.is_hourly and {{ is_older_than('latest.last_complete_at', var('late_after_days')) }} then 'late'
        when {{ is_older_than('latest.last_complete_at', 2 * var('late_after_days')) }} then 'late'
        else 'well'
    end as status,
    latest.last_complete_at,
    timestamp_diff({{ now() }}, latest.last_complete_at, minute) as lag_minutes,
    latest.last_swept_at,
    latest.last_changed_at,
    latest.read_until_at,
    last_runs.run_id as last_run_id,
    last_runs.refresh as last_refresh,
    last_runs.window_since as last_window_since,
    last_runs.window_until as last_window_until,
    last_runs.rows_read as last_rows_read,
    last_runs.request_count as last_requests,
    last_runs.duration_seconds as last_duration_seconds,
    latest.runs_of_a_day,
    coalesce(latest.requests_of_a_day, 0) as requests_of_a_day,
    coalesce(latest.caps_met_of_a_day, 0) as caps_met_of_a_day,
    counted.rows_in_source,
    counted.rows_in_warehouse,
    counted.committed_at as counted_at,
    coalesce(counted.rows_rejected, 0) as rows_rejected,
    coalesce(drift.schema_changes_of_a_month, 0) as schema_changes_of_a_month,
    drift.last_schema_change,
    drift.last_schema_change_at
from latest
left join last_runs
    on
        latest.source = last_runs.source
        and latest.entity = last_runs.entity
left join counted
    on
        latest.source = counted.source
        and latest.entity = counted.entity
left join drift
    on
        latest.source = drift.source
        and latest.entity = drift.entity
