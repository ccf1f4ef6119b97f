with

source as (

    select * from {{ source('hubspot', 'deals') }}

),

renamed as (

    select
        -- ids
        id as deal_id,
        {{ hubspot_value('hubspot_owner_id') }} as owner_id,
        {{ hubspot_value('pipeline') }} as pipeline_id,
        {{ hubspot_value('dealstage') }} as stage_id,
        _merged_into_id as merged_into_id,
        {{ hubspot_list('hs_merged_object_ids') }} as merged_ids,

        -- text
        {{ hubspot_value('dealname') }} as deal_name,
        {{ hubspot_value('dealtype') }} as deal_type,

        -- numbers
        {{ hubspot_value('amount', 'numeric') }} as amount,

        -- booleans
        {{ hubspot_value('hs_is_closed_won', 'bool') }} as is_closed_won,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ hubspot_uncastable({
            'amount': 'numeric',
            'hs_is_closed_won': 'bool',
            'closedate': 'timestamp'
        }) }} as uncastable_columns,

        -- times
        {{ hubspot_value('closedate', 'timestamp') }} as close_at,
        created_at,
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
