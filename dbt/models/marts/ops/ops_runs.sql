with

runs as (

    select * from {{ ref('stg_ops__airflow_runs') }}

),

tries as (

    select
        dag_id,
        run_id,
        count(distinct concat(task_id, ' ', cast(map_index as string))) as tasks_count,
        count(*) as tries_count,
        countif(state = 'failed') as failed_tries_count,
        countif(state in ('success', 'failed')) as worked_tries_count
    from {{ ref('stg_ops__airflow_tries') }}
    group by dag_id, run_id

),

failed_tasks as (

    select distinct
        dag_id,
        run_id,
        task_id
    from {{ ref('stg_ops__airflow_tries') }}
    where state = 'failed'

),

failed as (

    select
        dag_id,
        run_id,
        string_agg(task_id, ', ' order by task_id) as failed_tasks
    from failed_tasks
    group by dag_id, run_id

),

told as (

    select
        runs.dag_id,
        runs.run_id,
        runs.run_type,
        case
            when runs.state = 'success' and tries.failed_tries_count > 0 then 'recovered'
            when runs.state = 'success' and tries.worked_tries_count = 0 then 'skipped'
            when runs.state in ('success', 'failed', 'missing') then runs.state
            when runs.updated_at < timestamp_sub({{ now() }}, interval 48 hour) then 'failed'
            else 'running'
        end as outcome,
        runs.due_at,
        runs.started_at,
        runs.ended_at,
        timestamp_diff(runs.started_at, runs.due_at, millisecond) / 1000 as wait_seconds,
        timestamp_diff(runs.ended_at, runs.started_at, millisecond) / 1000 as duration_seconds,
        coalesce(tries.tasks_count, 0) as tasks_count,
        coalesce(tries.tries_count, 0) as tries_count,
        coalesce(tries.failed_tries_count, 0) as failed_tries_count,
        failed.failed_tasks
    from runs
    left join tries
        on
            runs.dag_id = tries.dag_id
            and runs.run_id = tries.run_id
    left join failed
        on
            runs.dag_id = failed.dag_id
            and runs.run_id = failed.run_id

),

-- For so few values the approximate median is exact.
usual as (

    select
        dag_id,
        approx_quantiles(duration_seconds, 2)[offset(1)] as usual_seconds
    from told
    where
        outcome in ('success', 'recovered')
        and started_at > timestamp_sub({{ now() }}, interval 30 * 24 hour)
    group by dag_id
    having count(duration_seconds) >= 5

)

select
    told.dag_id,
    told.run_id,
    split(told.dag_id, '_')[offset(0)] as layer,
    told.run_type,
    told.outcome,
    told.due_at,
    told.started_at,
    told.ended_at,
    told.wait_seconds,
    told.duration_seconds,
    usual.usual_seconds,
    coalesce(
        told.outcome in ('success', 'recovered')
        and told.duration_seconds > 3 * usual.usual_seconds
        and told.duration_seconds > usual.usual_seconds + 60,
        false
    ) as is_outlier,
    told.tasks_count,
    told.tries_count,
    told.failed_tries_count,
    told.failed_tasks
from told
left join usual
    on told.dag_id = usual.dag_id
