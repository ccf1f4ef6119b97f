with

source as (

    select * from {{ source('hubspot', 'tickets') }}

),

renamed as (

    select
        -- ids
        id as ticket_id,
        {{ hubspot_value('hubspot_owner_id') }} as owner_id,
        {{ hubspot_value('hs_pipeline') }} as pipeline_id,
        {{ hubspot_value('hs_pipeline_stage') }} as stage_id,
        _merged_into_id as merged_into_id,
        {{ hubspot_list('hs_merged_object_ids') }} as merged_ids,

        -- text
        {{ hubspot_value('subject') }} as subject,
        {{ hubspot_value('content') }} as content,
        {{ hubspot_value('hs_ticket_priority') }} as priority,
        {{ hubspot_value('hs_ticket_category') }} as category,
        {{ hubspot_value('source_type') }} as channel,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ hubspot_uncastable({
            'closed_date': 'timestamp'
        }) }} as uncastable_columns,

        -- times
        {{ hubspot_value('closed_date', 'timestamp') }} as closed_at,
        created_at,
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
