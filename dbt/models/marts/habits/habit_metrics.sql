with

-- The current period counts as soon as it is complete; until then it is neither done nor missed.
periods as (

    select
        *,
        date_trunc(date, month) as month_on,
        is_due and is_complete as is_hit,
        is_due and not is_complete and not is_current as is_miss
    from {{ ref('habits') }}

),

runs as (

    select
        *,
        countif(is_miss) over (
            partition by habit_id, period
            order by date rows between unbounded preceding and current row
        ) as run_number
    from periods

),

streaks as (

    select
        *,
        countif(is_hit) over (
            partition by habit_id, period, run_number
            order by date rows between unbounded preceding and current row
        ) as streak
    from runs

),

longest as (

    select
        *,
        max(streak) over (
            partition by habit_id, period
            order by date rows between unbounded preceding and current row
        ) as longest_streak
    from streaks

),

months as (

    select
        habit_id,
        habit,
        period,
        property_type,
        month_on,
        countif(is_hit or is_miss) as periods_due,
        countif(is_hit) as periods_complete,
        sum(if(is_hit or is_miss, coalesce(amount, 0), 0)) as amount,
        array_agg(streak order by date desc limit 1)[safe_offset(0)] as current_streak,
        max(longest_streak) as longest_streak,
        array_agg(target order by is_due desc, date desc limit 1)[safe_offset(0)] as target
    from longest
    group by habit_id, habit, period, property_type, month_on

),

measured as (

    select
        *,
        safe_divide(periods_complete, periods_due) as completion_rate,
        if(property_type = 'number', safe_divide(amount, periods_due), null) as average_amount
    from months

)

select
    habit_id,
    habit,
    period,
    property_type,
    month_on,
    periods_due,
    periods_complete,
    completion_rate,
    average_amount,
    current_streak,
    longest_streak,
    target,
    if(property_type = 'number', average_amount, completion_rate) >= target as is_target_met
from measured
