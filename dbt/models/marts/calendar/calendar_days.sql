with

events as (

    select * from {{ ref('int_calendar__events') }}

),

busy as (

    select
        calendar_id,
        start_at,
        end_at
    from events
    where is_busy

),

{{ covered_hours('busy', ['calendar_id']) }},

calendars as (

    select
        calendar_id,
        max(calendar_name) as calendar_name,
        min(if(first_on >= {{ first_day() }}, first_on, null)) as first_on
    from events
    where is_busy
    group by calendar_id

),

days as (

    select
        calendars.calendar_id,
        calendars.calendar_name,
        day_on
    from calendars
    cross join unnest(generate_date_array(calendars.first_on, {{ today() }})) as day_on

),

filled as (

    select
        days.calendar_id,
        days.calendar_name,
        days.day_on as date,
        coalesce(covered.hours, 0) as hours,
        coalesce(covered.spans_count, 0) as events_count
    from days
    left join covered
        on
            days.calendar_id = covered.calendar_id
            and days.day_on = covered.day_on

)

select
    calendar_id,
    calendar_name,
    date,
    hours,
    events_count,
    avg(hours) over (
        partition by calendar_id order by date rows between 6 preceding and current row
    ) as average_7_days,
    avg(hours) over (
        partition by calendar_id order by date rows between 27 preceding and current row
    ) as average_28_days
from filled
