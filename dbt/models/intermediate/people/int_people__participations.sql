with

-- A person takes part only once in an engagement, even with several contact records.
crm as (

    select distinct
        keys.person_id,
        engagements.engagement_id,
        engagements.type,
        engagements.occurred_at,
        engagements.status,
        engagements.is_touch and engagements.occurred_at <= {{ now() }} as is_past_touch
    from {{ ref('int_engagements__unioned') }} as engagements
    inner join {{ ref('int_hubspot__associations') }} as associations
        on
            engagements.type = associations.from_type
            and engagements.record_id = associations.from_id
    inner join {{ ref('person_keys') }} as keys
        on keys.record_id = concat('hubspot:', associations.to_id)
    where
        engagements.occurred_at is not null
        and associations.to_type = 'contacts'
        and associations.is_living

),

-- A meeting with the person that HubSpot has within half an hour is the same one, and HubSpot knows its outcome.
calendar as (

    select distinct
        guests.person_id,
        concat('calendar:', guests.meeting_id) as engagement_id,
        'meetings' as type,
        guests.start_at as occurred_at,
        guests.status,
        guests.start_at <= {{ now() }} as is_past_touch
    from {{ ref('int_calendar__guests') }} as guests
    left join crm
        on
            guests.person_id = crm.person_id
            and crm.type = 'meetings'
            and abs(timestamp_diff(guests.start_at, crm.occurred_at, second)) < 1800
    where
        guests.person_id is not null
        and crm.person_id is null

),

unioned as (

    select * from crm
    union all
    select * from calendar

)

select
    person_id,
    engagement_id,
    type,
    occurred_at,
    {{ day_of('occurred_at') }} as day_on,
    status,
    is_past_touch
from unioned
