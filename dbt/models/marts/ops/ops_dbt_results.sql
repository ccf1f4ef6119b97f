with

results as (

    select
        *,
        case
            when status in ('success', 'pass') then 'success'
            when status = 'warn' then 'warning'
            when status = 'skipped' then 'skipped'
            else 'failed'
        end as outcome
    from {{ ref('stg_ops__dbt_results') }}

),

-- For so few values the approximate median is exact.
usual as (

    select
        node_id,
        approx_quantiles(duration_seconds, 2)[offset(1)] as usual_seconds
    from results
    where
        outcome = 'success'
        and started_at > timestamp_sub({{ now() }}, interval 30 * 24 hour)
    group by node_id

)

select
    results.invocation_id,
    results.node_id,
    results.build_id,
    results.refresh,
    results.layer,
    results.kind,
    results.name,
    results.outcome,
    results.started_at,
    results.duration_seconds,
    usual.usual_seconds,
    results.rows_affected,
    results.bytes_billed,
    results.failures
from results
left join usual
    on results.node_id = usual.node_id
