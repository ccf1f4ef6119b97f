with

guests as (

    select
        meeting_id,
        array_agg(distinct person_id ignore nulls order by person_id) as person_ids,
        countif(person_id is null) as unknown_guests_count
    from {{ ref('int_calendar__guests') }}
    group by meeting_id

)

select
    events.meeting_id,
    events.calendar_id,
    events.calendar_name,
    events.title,
    events.status,
    events.start_at,
    events.end_at,
    timestamp_diff(events.end_at, events.start_at, second) / 3600 as hours,
    events.is_recurring,
    array_length(events.guest_keys) as guests_count,
    coalesce(guests.unknown_guests_count, array_length(events.guest_keys)) as unknown_guests_count,
    coalesce(guests.person_ids, cast([] as array<string>)) as person_ids,
    events.start_at <= {{ now() }} as is_past
from {{ ref('int_calendar__events') }} as events
left join guests
    on events.meeting_id = guests.meeting_id
where
    events.is_first_copy
    and events.is_busy
    and array_length(events.guest_keys) > 0
