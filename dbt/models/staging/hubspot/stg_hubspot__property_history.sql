with

source as (

    select * from {{ source('hubspot', 'property_history') }}

),

renamed as (

    select
        -- ids
        id as change_id,
        object_type,
        object_id,
        user_id,
        _merged_into_id as merged_into_id,

        -- text
        property,
        {{ hubspot_value('value') }} as value,
        source_type,
        source_id,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,

        -- times
        changed_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
