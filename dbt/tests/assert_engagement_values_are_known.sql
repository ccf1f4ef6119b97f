{{ config(severity='warn', tags=['marts']) }}

with

engagements as (

    select * from {{ ref('int_engagements__unioned') }}
    where not is_deleted

)

select
    concat('hubspot.', type) as entity,
    if(type = 'emails', 'hs_email_direction', 'hs_call_direction') as property,
    direction as unknown_value,
    count(*) as row_count
from engagements
where direction not in ('inbound', 'outbound')
group by type, direction
union all
select
    concat('hubspot.', type) as entity,
    'hs_communication_channel_type' as property,
    channel as unknown_value,
    count(*) as row_count
from engagements
where channel not in ('sms', 'whats_app', 'linkedin_message')
group by type, channel
union all
-- The calendar of the report does not include these days.
select
    concat('hubspot.', type) as entity,
    'hs_timestamp' as property,
    cast(extract(year from occurred_at) as string) as unknown_value,
    count(*) as row_count
from engagements
where occurred_at < timestamp({{ first_day() }})
group by type, unknown_value
