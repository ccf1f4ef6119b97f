with

source as (

    select * from {{ source('hubspot', 'calls') }}

),

renamed as (

    select
        -- ids
        id as call_id,
        {{ hubspot_value('hubspot_owner_id') }} as owner_id,
        _merged_into_id as merged_into_id,

        -- text
        {{ hubspot_value('hs_call_title') }} as title,
        {{ hubspot_value('hs_call_direction') }} as direction,
        {{ hubspot_value('hs_call_status') }} as status,

        -- numbers
        {{ hubspot_value('hs_call_duration', 'numeric') }} as duration_ms,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ hubspot_uncastable({
            'hs_call_duration': 'numeric',
            'hs_timestamp': 'timestamp'
        }) }} as uncastable_columns,

        -- times
        {{ hubspot_value('hs_timestamp', 'timestamp') }} as occurred_at,
        created_at,
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
