with

source as (

    select * from {{ source('hubspot', 'lists') }}

),

renamed as (

    select
        -- ids
        id as list_id,
        object_type_id,
        _merged_into_id as merged_into_id,

        -- text
        {{ hubspot_value('name') }} as list,
        processing_type,

        -- numbers
        {{ hubspot_value('size', 'int64') }} as size,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ hubspot_uncastable({
            'size': 'int64'
        }) }} as uncastable_columns,

        -- times
        created_at,
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
