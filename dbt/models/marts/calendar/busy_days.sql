with

events as (

    select * from {{ ref('int_calendar__events') }}
    where is_busy and is_first_copy and first_on >= {{ first_day() }}

),

{{ covered_hours('events', []) }},

meetings as (

    select
        first_on as day_on,
        count(*) as meetings_count
    from events
    where array_length(guest_keys) > 0
    group by first_on

),

spans as (

    select min(first_on) as first_on
    from events

),

filled as (

    select
        calendar_day as date,
        coalesce(covered.hours, 0) as hours,
        coalesce(covered.spans_count, 0) as events_count,
        coalesce(meetings.meetings_count, 0) as meetings_count
    from spans
    cross join unnest(generate_date_array(spans.first_on, {{ today() }})) as calendar_day
    left join covered
        on calendar_day = covered.day_on
    left join meetings
        on calendar_day = meetings.day_on

),

averaged as (

    select
        *,
        avg(hours) over (order by date rows between 6 preceding and current row) as average_7_days,
        avg(hours) over (order by date rows between 27 preceding and current row) as average_28_days,
        count(*) over (order by date rows between 56 preceding and 1 preceding) as days_before,
        avg(hours) over (order by date rows between 56 preceding and 1 preceding) as mean_before,
        avg(hours * hours) over (order by date rows between 56 preceding and 1 preceding) as square_before
    from filled

),

-- Two standard deviations above the mean of the eight weeks before, which four weeks begin to tell.
limited as (

    select
        *,
        if(
            days_before >= 28,
            greatest(mean_before + 2 * sqrt(greatest(square_before - mean_before * mean_before, 0)), 4),
            null
        ) as full_above_hours
    from averaged

)

select
    date,
    hours,
    events_count,
    meetings_count,
    average_7_days,
    average_28_days,
    full_above_hours,
    hours > full_above_hours as is_unusually_full
from limited
