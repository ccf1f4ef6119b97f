-- A person takes part once, with however many of their contacts.
select distinct
    keys.person_id,
    engagements.engagement_id,
    engagements.type,
    engagements.occurred_at,
    date(engagements.occurred_at, {{ timezone() }}) as day_on,
    engagements.status,
    engagements.is_touch and engagements.occurred_at <= {{ now() }} as is_past_touch
from {{ ref('engagements') }} as engagements
cross join unnest(engagements.contact_ids) as contact_id
inner join {{ ref('person_keys') }} as keys
    on keys.record_id = concat('hubspot:', contact_id)
where engagements.occurred_at is not null
