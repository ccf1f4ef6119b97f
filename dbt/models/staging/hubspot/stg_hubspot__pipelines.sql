with

source as (

    select * from {{ source('hubspot', 'pipelines') }}

),

renamed as (

    select
        -- ids
        id as pipeline_id,
        _merged_into_id as merged_into_id,

        -- text
        coalesce(object_type, 'deals') as object_type,
        {{ hubspot_value('label') }} as pipeline,

        -- numbers
        {{ hubspot_value('display_order', 'int64') }} as display_order,

        -- state
        coalesce(archived, false) as is_archived,
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ hubspot_uncastable({'display_order': 'int64'}) }} as uncastable_columns,

        -- stages
        stages,

        -- times
        created_at,
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
