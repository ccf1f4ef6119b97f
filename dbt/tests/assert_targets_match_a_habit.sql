{{ config(severity='warn', tags=['marts']) }}

select
    targets.target_id,
    targets.habit,
    targets.period
from {{ ref('int_habits__targets') }} as targets
left join {{ ref('int_habits__named') }} as named
    on
        targets.habit_key = named.habit_key
        and targets.period = named.period
where
    named.habit_id is null
    and coalesce(targets.active_until_on, date '9999-12-31') >= {{ today() }}
