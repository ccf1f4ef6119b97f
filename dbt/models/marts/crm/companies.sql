with

companies as (

    select * from {{ ref('stg_hubspot__companies') }}
    where not is_deleted

),

employees as (

    select
        from_id as company_id,
        to_id as contact_id
    from {{ ref('int_hubspot__associations') }}
    where
        from_type = 'companies'
        and to_type = 'contacts'
        and is_living

),

employed as (

    select
        company_id,
        count(*) as contacts_count
    from employees
    group by company_id

),

dealt as (

    select
        company_id,
        count(*) as deals_count,
        sum(if(is_closed, 0, amount)) as open_deals_amount,
        sum(if(is_won, amount, 0)) as won_amount
    from {{ ref('deals') }}
    where company_id is not null
    group by company_id

),

past_engagements as (

    select * from {{ ref('engagements') }}
    where occurred_at <= {{ now() }}

),

-- HubSpot often associates an engagement with a contact and not with the contact's company.
participations as (

    select
        company_id,
        past_engagements.occurred_at
    from past_engagements
    cross join unnest(past_engagements.company_ids) as company_id
    union all
    select
        employees.company_id,
        past_engagements.occurred_at
    from past_engagements
    cross join unnest(past_engagements.contact_ids) as participant_id
    inner join employees
        on participant_id = employees.contact_id

),

engaged as (

    select
        company_id,
        max(occurred_at) as last_engagement_at
    from participations
    group by company_id

)

select
    companies.company_id,
    companies.company_name,
    companies.domain,
    companies.industry,
    companies.city,
    companies.country,
    companies.phone,
    companies.number_of_employees,
    companies.annual_revenue,
    companies.lifecycle_stage,
    companies.owner_id,
    owners.full_name as owner,
    coalesce(employed.contacts_count, 0) as contacts_count,
    coalesce(dealt.deals_count, 0) as deals_count,
    coalesce(dealt.open_deals_amount, 0) as open_deals_amount,
    coalesce(dealt.won_amount, 0) as won_amount,
    engaged.last_engagement_at,
    companies.created_at,
    companies.updated_at
from companies
left join employed
    on companies.company_id = employed.company_id
left join dealt
    on companies.company_id = dealt.company_id
left join engaged
    on companies.company_id = engaged.company_id
left join {{ ref('stg_hubspot__owners') }} as owners
    on companies.owner_id = owners.owner_id
