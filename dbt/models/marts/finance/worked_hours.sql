with

entries as (

    select
        {{ day_of('started_at') }} as day_on,
        coalesce(project, '(no project)') as project,
        minutes,
        coalesce(is_billable, false) as is_billable
    from {{ ref('stg_sql__time_entries') }}
    where not is_deleted and started_at is not null and minutes is not null

)

select
    {{ period_start('day_on', "'weekly'") }} as week_on,
    project,
    cast(sum(minutes) / 60 as numeric) as hours,
    cast(sum(if(is_billable, minutes, 0)) / 60 as numeric) as billable_hours,
    count(*) as entries_count
from entries
where day_on >= {{ first_day() }}
group by week_on, project
