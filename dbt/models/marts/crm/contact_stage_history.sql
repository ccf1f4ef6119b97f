with

contacts as (

    select * from {{ ref('stg_hubspot__contacts') }}
    where not is_deleted

),

in_stages as (

    select * from {{ ref('int_hubspot__contact_stays') }}

),

with_owners as (

    {{ property_stays('contacts', 'contact_id', 'hubspot_owner_id', 'owner_id') }}

),

-- What was true when the stage was entered.
told as (

    select
        in_stages.contact_id,
        in_stages.lifecycle_stage,
        with_owners.owner_id,
        in_stages.entered_at,
        in_stages.left_at
    from in_stages
    left join with_owners
        on
            in_stages.contact_id = with_owners.contact_id
            and in_stages.entered_at >= with_owners.entered_at
            and (with_owners.left_at is null or in_stages.entered_at < with_owners.left_at)

),

told_contacts as (

    select distinct contact_id from told

),

-- Of a contact without a history in HubSpot, what was seen of it.
seen as (

    select stays.*
    from {{ ref('int_hubspot__contact_stages') }} as stays
    left join told_contacts
        on stays.contact_id = told_contacts.contact_id
    where
        told_contacts.contact_id is null
        and stays.lifecycle_stage is not null

),

stays as (

    select
        contact_id,
        lifecycle_stage,
        owner_id,
        entered_at,
        left_at,
        true as is_entry_known,
        'history' as origin
    from told
    union all
    select
        contact_id,
        lifecycle_stage,
        cast(null as string) as owner_id,
        entered_at,
        left_at,
        is_entry_known,
        'snapshot' as origin
    from seen

),

numbered as (

    select
        stays.*,
        {{ full_name('contacts.first_name', 'contacts.last_name') }} as full_name,
        row_number() over (
            partition by stays.contact_id
            order by stays.entered_at, stays.left_at is null, stays.left_at
        ) as stay_number
    from stays
    inner join contacts
        on stays.contact_id = contacts.contact_id

)

select
    numbered.contact_id,
    numbered.stay_number,
    numbered.full_name,
    numbered.lifecycle_stage,
    numbered.owner_id,
    owners.full_name as owner,
    numbered.entered_at,
    numbered.left_at,
    date_diff(
        coalesce({{ day_of('numbered.left_at') }}, {{ today() }}),
        {{ day_of('numbered.entered_at') }},
        day
    ) as days_in_stage,
    numbered.left_at is null as is_current,
    numbered.is_entry_known,
    numbered.origin
from numbered
left join {{ ref('stg_hubspot__owners') }} as owners
    on numbered.owner_id = owners.owner_id
