with

deals as (

    select * from {{ ref('stg_hubspot__deals') }}
    where not is_deleted

),

stages as (

    select * from {{ ref('stg_hubspot__pipeline_stages') }}

),

in_stages as (

    select * from {{ ref('int_hubspot__deal_stays') }}

),

in_pipelines as (

    {{ property_stays('deals', 'deal_id', 'pipeline', 'pipeline_id') }}

),

with_owners as (

    {{ property_stays('deals', 'deal_id', 'hubspot_owner_id', 'owner_id') }}

),

-- What was true when the stage was entered.
told as (

    select
        in_stages.deal_id,
        in_pipelines.pipeline_id,
        in_stages.stage_id,
        with_owners.owner_id,
        in_stages.entered_at,
        in_stages.left_at
    from in_stages
    left join in_pipelines
        on
            in_stages.deal_id = in_pipelines.deal_id
            and in_stages.entered_at >= in_pipelines.entered_at
            and (in_pipelines.left_at is null or in_stages.entered_at < in_pipelines.left_at)
    left join with_owners
        on
            in_stages.deal_id = with_owners.deal_id
            and in_stages.entered_at >= with_owners.entered_at
            and (with_owners.left_at is null or in_stages.entered_at < with_owners.left_at)

),

told_deals as (

    select distinct deal_id from told

),

-- Of a deal without a history in HubSpot, what was seen of it.
seen as (

    select stays.*
    from {{ ref('int_hubspot__deal_stages') }} as stays
    left join told_deals
        on stays.deal_id = told_deals.deal_id
    where
        told_deals.deal_id is null
        and stays.stage_id is not null

),

stays as (

    select
        deal_id,
        pipeline_id,
        stage_id,
        owner_id,
        entered_at,
        left_at,
        true as is_entry_known,
        'history' as origin
    from told
    union all
    select
        deal_id,
        pipeline_id,
        stage_id,
        cast(null as string) as owner_id,
        entered_at,
        left_at,
        is_entry_known,
        'snapshot' as origin
    from seen

),

numbered as (

    select
        deals.deal_name,
        stays.deal_id,
        coalesce(stays.pipeline_id, deals.pipeline_id) as pipeline_id,
        stays.stage_id,
        stays.owner_id,
        stays.entered_at,
        stays.left_at,
        stays.is_entry_known,
        stays.origin,
        row_number() over (
            partition by stays.deal_id
            order by stays.entered_at, stays.left_at is null, stays.left_at
        ) as stay_number
    from stays
    inner join deals
        on stays.deal_id = deals.deal_id

)

select
    numbered.deal_id,
    numbered.stay_number,
    numbered.deal_name,
    numbered.pipeline_id,
    pipelines.pipeline,
    numbered.stage_id,
    coalesce(stages.stage, numbered.stage_id) as stage,
    stages.display_order as stage_order,
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
left join stages
    on
        numbered.pipeline_id = stages.pipeline_id
        and numbered.stage_id = stages.stage_id
left join {{ ref('stg_hubspot__pipelines') }} as pipelines
    on numbered.pipeline_id = pipelines.pipeline_id
left join {{ ref('stg_hubspot__owners') }} as owners
    on numbered.owner_id = owners.owner_id
