-- As rows of a habits database: a tick for each event that took place.
select distinct
    concat(habits.period, ':', events.event_key) as page_id,
    'google_calendar' as data_source_id,
    {{ name_key('habits.habit') }} as property_id,
    habits.period,
    habits.habit as property_name,
    'checkbox' as property_type,
    events.first_on as day_on,
    {{ period_start('events.first_on', 'habits.period') }} as period_start_on,
    true as is_ticked,
    cast(null as float64) as amount,
    false as has_uncastable_value,
    false as is_deleted,
    events.extracted_at
from {{ ref('int_calendar__events') }} as events
inner join {{ ref('meeting_habits') }} as habits
    on
        {{ is_like('events.calendar_name', 'habits.calendar') }}
        and {{ is_like("coalesce(events.title, '')", 'habits.title') }}
where
    coalesce(events.start_at, timestamp(events.first_on, {{ timezone() }})) <= {{ now() }}
    and events.first_on >= {{ first_day() }}
