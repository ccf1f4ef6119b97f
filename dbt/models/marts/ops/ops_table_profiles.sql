with

profiles as (

    select
        *,
        safe_divide(null_count, row_count) as null_share,
        max(profiled_at) over (partition by table_name) as last_profiled_at
    from {{ ref('stg_ops__table_profiles') }}

),

compared as (

    select
        *,
        lag(row_count) over (
            partition by table_name, column_name
            order by profiled_at
        ) as row_count_before,
        lag(null_share) over (
            partition by table_name, column_name
            order by profiled_at
        ) as null_share_before
    from profiles

)

select
    table_name,
    column_name,
    profiled_at,
    kind,
    row_count,
    row_count_before,
    deleted_count,
    null_count,
    null_share,
    null_share_before,
    distinct_count,
    minimum,
    maximum,
    case
        when 5 * row_count <= 4 * row_count_before and row_count_before > 0 then 'fewer rows'
        when null_share = 1 and null_share_before < 1 then 'became empty'
        when round(null_share - null_share_before, 9) >= 0.1 then 'more empty'
    end as finding,
    profiled_at = last_profiled_at as is_latest
from compared
