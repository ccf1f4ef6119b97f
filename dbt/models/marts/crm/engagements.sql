with

engagements as (

    select * from {{ ref('int_engagements__unioned') }}
    where not is_deleted

),

associated as (

    select
        from_type as type,
        from_id as record_id,
        array_agg(if(is_living and to_type = 'contacts', to_id, null) ignore nulls order by to_id) as contact_ids,
        array_agg(if(is_living and to_type = 'companies', to_id, null) ignore nulls order by to_id) as company_ids,
        array_agg(if(is_living and to_type = 'deals', to_id, null) ignore nulls order by to_id) as deal_ids,
        countif(is_to_missing) as unknown_association_count
    from {{ ref('int_hubspot__associations') }}
    group by from_type, from_id

)

select
    engagements.engagement_id,
    engagements.type,
    engagements.occurred_at,
    engagements.duration_seconds,
    engagements.direction,
    engagements.is_synchronous,
    engagements.is_touch,
    engagements.channel,
    engagements.subject,
    engagements.status,
    engagements.owner_id,
    owners.full_name as owner,
    coalesce(associated.contact_ids, array<string>[]) as contact_ids,
    coalesce(associated.company_ids, array<string>[]) as company_ids,
    coalesce(associated.deal_ids, array<string>[]) as deal_ids,
    coalesce(associated.unknown_association_count, 0) as unknown_association_count,
    engagements.created_at,
    engagements.updated_at
from engagements
left join associated
    on
        engagements.type = associated.type
        and engagements.record_id = associated.record_id
left join {{ ref('stg_hubspot__owners') }} as owners
    on engagements.owner_id = owners.owner_id
