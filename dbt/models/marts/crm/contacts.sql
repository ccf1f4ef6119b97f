with

contacts as (

    select * from {{ ref('stg_hubspot__contacts') }}
    where not is_deleted

),

-- The primary company, or else any company; if there are several, the one with the lowest id.
employers as (

    select
        associations.from_id as contact_id,
        companies.company_id,
        companies.company_name
    from {{ ref('int_hubspot__associations') }} as associations
    inner join {{ ref('stg_hubspot__companies') }} as companies
        on associations.to_id = companies.company_id
    where
        associations.from_type = 'contacts'
        and associations.to_type = 'companies'
        and associations.is_living
    qualify
        row_number() over (
            partition by associations.from_id
            order by associations.is_primary desc, length(associations.to_id) asc, associations.to_id asc
        ) = 1

),

merged as (

    select
        winner_id as contact_id,
        array_agg(loser_id order by loser_id) as merged_ids
    from {{ ref('int_hubspot__merges') }}
    where type = 'contacts'
    group by winner_id

),

stages as (

    select * from {{ ref('contact_stage_history') }}
    where is_current

),

engaged as (

    select
        contact_id,
        count(*) as engagements_count,
        max(if(engagements.occurred_at <= {{ now() }}, engagements.occurred_at, null)) as last_engagement_at
    from {{ ref('engagements') }} as engagements
    cross join unnest(engagements.contact_ids) as contact_id
    group by contact_id

)

select
    contacts.contact_id,
    contacts.first_name,
    contacts.last_name,
    {{ full_name('contacts.first_name', 'contacts.last_name') }} as full_name,
    contacts.email,
    contacts.additional_emails,
    contacts.phone,
    contacts.mobile_phone,
    contacts.job_title,
    contacts.city,
    contacts.country,
    contacts.born_on,
    employers.company_id,
    coalesce(employers.company_name, contacts.company_as_typed) as company_name,
    contacts.lifecycle_stage,
    -- If the contact was loaded after its history, that is older than staging until the next build.
    if(
        stages.is_entry_known and stages.lifecycle_stage is not distinct from contacts.lifecycle_stage,
        stages.entered_at,
        null
    ) as lifecycle_stage_since_at,
    contacts.lead_status,
    contacts.owner_id,
    owners.full_name as owner,
    coalesce(merged.merged_ids, array<string>[]) as merged_ids,
    coalesce(engaged.engagements_count, 0) as engagements_count,
    engaged.last_engagement_at,
    contacts.created_at,
    contacts.updated_at
from contacts
left join employers
    on contacts.contact_id = employers.contact_id
left join merged
    on contacts.contact_id = merged.contact_id
left join stages
    on contacts.contact_id = stages.contact_id
left join engaged
    on contacts.contact_id = engaged.contact_id
left join {{ ref('stg_hubspot__owners') }} as owners
    on contacts.owner_id = owners.owner_id
