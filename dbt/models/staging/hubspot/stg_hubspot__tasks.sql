with

source as (

    select * from {{ source('hubspot', 'tasks') }}

),

renamed as (

    select
        -- ids
        id as task_id,
        {{ hubspot_value('hubspot_owner_id') }} as owner_id,
        _merged_into_id as merged_into_id,

        -- text
        {{ hubspot_value('hs_task_subject') }} as subject,
        {{ hubspot_value('hs_task_status') }} as status,
        {{ hubspot_value('hs_task_priority') }} as priority,
        {{ hubspot_value('hs_task_type') }} as task_type,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ hubspot_uncastable({'hs_timestamp': 'timestamp'}) }} as uncastable_columns,

        -- times
        {{ hubspot_value('hs_timestamp', 'timestamp') }} as occurred_at,
        created_at,
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
