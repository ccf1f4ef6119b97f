-- A person takes part only once in an engagement, even with several contact records.
select distinct
    keys.person_id,
    engagements.engagement_id,
    engagements.type,
    engagements.occurred_at,
    {{ day_of('engagements.occurred_at') }} as day_on,
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
