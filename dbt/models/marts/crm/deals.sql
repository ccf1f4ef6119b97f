with

deals as (

    select * from {{ ref('stg_hubspot__deals') }}
    where not is_deleted

),

stages as (

    select * from {{ ref('stg_hubspot__pipeline_stages') }}

),

associations as (

    select * from {{ ref('int_hubspot__associations') }}
    where from_type = 'deals' and is_living

),

-- The primary company, or else any company; if there are several, the one with the lowest id.
buyers as (

    select
        from_id as deal_id,
        to_id as company_id
    from associations
    where to_type = 'companies'
    qualify
        row_number() over (
            partition by from_id
            order by is_primary desc, length(to_id) asc, to_id asc
        ) = 1

),

participants as (

    select
        from_id as deal_id,
        array_agg(to_id order by to_id) as contact_ids
    from associations
    where to_type = 'contacts'
    group by from_id

),

stays as (

    select
        deal_id,
        pipeline_id,
        stage_id,
        stage,
        entered_at,
        left_at,
        is_current,
        is_entry_known
    from {{ ref('deal_stage_history') }}

),

histories as (

    select
        deal_id,
        array_agg(struct(stage_id, stage, entered_at, left_at) order by entered_at, left_at is null) as stage_history
    from stays
    group by deal_id

),

current_stays as (

    select * from stays
    where is_current

),

joined as (

    select
        deals.*,
        pipelines.pipeline,
        coalesce(stages.stage, deals.stage_id) as stage,
        stages.display_order as stage_order,
        -- Derived from the stage, because HubSpot computes its own property later.
        coalesce(stages.is_closed, deals.is_closed_won, false) as is_closed,
        coalesce(stages.is_closed and stages.probability = 1, deals.is_closed_won, false) as is_won,
        owners.full_name as owner,
        buyers.company_id,
        participants.contact_ids,
        -- If the deal was loaded after its history, that is older than staging until the next build.
        current_stays.deal_id is not null
        and current_stays.pipeline_id is not distinct from deals.pipeline_id
        and current_stays.stage_id is not distinct from deals.stage_id as is_history_current,
        current_stays.entered_at,
        current_stays.is_entry_known,
        histories.stage_history
    from deals
    left join {{ ref('stg_hubspot__pipelines') }} as pipelines
        on deals.pipeline_id = pipelines.pipeline_id
    left join stages
        on
            deals.pipeline_id = stages.pipeline_id
            and deals.stage_id = stages.stage_id
    left join {{ ref('stg_hubspot__owners') }} as owners
        on deals.owner_id = owners.owner_id
    left join buyers
        on deals.deal_id = buyers.deal_id
    left join participants
        on deals.deal_id = participants.deal_id
    left join current_stays
        on deals.deal_id = current_stays.deal_id
    left join histories
        on deals.deal_id = histories.deal_id

),

timed as (

    select
        *,
        if(is_history_current, entered_at, updated_at) as stage_entered_at,
        if(is_history_current, is_entry_known, true) as is_stage_since_known
    from joined

)

select
    deal_id,
    deal_name,
    deal_type,
    pipeline_id,
    pipeline,
    stage_id,
    stage,
    stage_order,
    is_closed,
    is_won,
    amount,
    {{ hubspot_day('close_at') }} as close_on,
    owner_id,
    owner,
    company_id,
    coalesce(contact_ids, array<string>[]) as contact_ids,
    stage_entered_at,
    is_stage_since_known,
    date_diff({{ today() }}, {{ day_of('stage_entered_at') }}, day) as days_in_stage,
    coalesce(
        stage_history,
        array<struct<stage_id string, stage string, entered_at timestamp, left_at timestamp>>[]
    ) as stage_history,
    created_at,
    updated_at
from timed
