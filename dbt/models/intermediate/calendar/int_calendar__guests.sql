with

-- What more people are invited to is no meeting with each of them.
guests as (

    select
        events.meeting_id,
        events.title,
        events.status,
        events.start_at,
        guest_key
    from {{ ref('int_calendar__events') }} as events
    cross join unnest(events.guest_keys) as guest_key
    where
        events.is_first_copy
        and events.is_busy
        and array_length(events.guest_keys) <= 20

),

-- An address that several people have tells nobody.
owners as (

    select
        email_key,
        min(keys.person_id) as person_id
    from {{ ref('int_people__records') }} as records
    cross join unnest(records.email_keys) as email_key
    inner join {{ ref('person_keys') }} as keys
        on records.record_id = keys.record_id
    where records.is_living
    group by email_key
    having count(distinct keys.person_id) = 1

)

select
    guests.meeting_id,
    guests.guest_key,
    guests.status,
    guests.start_at,
    owners.person_id
from guests
left join owners
    on guests.guest_key = owners.email_key
