with

source as (

    select * from {{ source('google_calendar', 'events') }}

),

renamed as (

    select
        -- ids
        id as event_key,
        calendar_id,
        event_id,
        ical_uid,
        recurring_event_id,

        -- text
        summary as title,
        location,
        status,
        coalesce(event_type, 'default') as event_type,
        start_time_zone,
        organizer_email,

        -- lists
        attendees,

        -- booleans
        start_date is not null as is_all_day,
        coalesce(transparency, 'opaque') = 'transparent' as is_free,
        is_organizer_self,
        exists(
            select 1 from unnest(attendees) as attendee
            where attendee.is_self and attendee.response_status = 'declined'
        ) as is_declined,
        is_attendees_omitted,

        -- dates
        start_date as first_on,
        greatest(date_sub(end_date, interval 1 day), start_date) as last_on,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,

        -- times
        start_at,
        greatest(end_at, start_at) as end_at,
        coalesce(original_start_at, timestamp(original_start_date)) as original_start_at,
        created_at,
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
