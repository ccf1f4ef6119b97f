with

calendars as (

    select * from {{ ref('stg_google_calendar__calendars') }}
    where not is_deleted

),

-- Where events were read and the list of calendars was not, a calendar is called by its id.
living as (

    select
        events.*,
        coalesce(calendars.calendar_name, events.calendar_id) as calendar_name,
        coalesce(calendars.is_primary, false) as is_primary,
        to_hex(
            md5(
                concat(
                    coalesce(events.ical_uid, events.event_key),
                    '@',
                    coalesce(
                        cast(coalesce(events.original_start_at, events.start_at) as string),
                        cast(events.first_on as string),
                        ''
                    )
                )
            )
        ) as meeting_id
    from {{ ref('stg_google_calendar__events') }} as events
    left join calendars
        on events.calendar_id = calendars.calendar_id
    where not events.is_deleted and coalesce(events.start_at, timestamp(events.first_on)) is not null

),

-- An event that several calendars have is one: that of the owner's own calendar, where the owner's answer is.
copies as (

    select
        *,
        logical_or(is_declined) over (partition by meeting_id) as is_declined_anywhere,
        row_number() over (
            partition by meeting_id
            order by is_primary desc, calendar_name asc, event_key asc
        ) as copy_number
    from living

),

owner as (

    select {{ email_key(email_address('calendar_id')) }} as email_key
    from calendars
    where is_primary

),

guests as (

    select
        copies.event_key,
        array_agg(
            distinct {{ email_key(email_address('attendee.email')) }} ignore nulls
            order by {{ email_key(email_address('attendee.email')) }}
        ) as guest_keys
    from copies
    cross join unnest(copies.attendees) as attendee
    where
        not coalesce(attendee.is_self, false)
        and not coalesce(attendee.is_resource, false)
        and coalesce(attendee.response_status, '') != 'declined'
        and {{ email_key(email_address('attendee.email')) }} not in (
            select owner.email_key from owner
            where owner.email_key is not null
        )
    group by copies.event_key

)

select
    copies.event_key,
    copies.meeting_id,
    copies.calendar_id,
    copies.calendar_name,
    copies.title,
    copies.status,
    copies.event_type,
    copies.is_all_day,
    copies.start_at,
    copies.end_at,
    coalesce(copies.first_on, {{ day_of('copies.start_at') }}) as first_on,
    copies.recurring_event_id is not null as is_recurring,
    copies.copy_number = 1 as is_first_copy,
    coalesce(
        not copies.is_free
        and copies.event_type in ('default', 'focusTime', 'fromGmail')
        and timestamp_diff(copies.end_at, copies.start_at, second) between 1 and 7 * 24 * 3600,
        false
    ) as is_busy,
    coalesce(guests.guest_keys, cast([] as array<string>)) as guest_keys,
    copies.extracted_at
from copies
left join guests
    on copies.event_key = guests.event_key
where not copies.is_declined_anywhere
