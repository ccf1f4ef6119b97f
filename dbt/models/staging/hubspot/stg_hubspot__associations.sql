with

source as (

    select * from {{ source('hubspot', 'associations') }}

),

renamed as (

    select
        -- ids
        id as association_id,
        from_type,
        from_id,
        to_type,
        to_id,
        category,
        {{ hubspot_value('type_id', 'int64') }} as type_id,
        _merged_into_id as merged_into_id,

        -- text
        {{ hubspot_value('label') }} as label,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ hubspot_uncastable({'type_id': 'int64'}) }} as uncastable_columns,

        -- times
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
