with

source as (

    select * from {{ source('notion', 'habit_targets') }}

),

renamed as (

    select
        -- ids
        id as page_id,
        database_id,
        data_source_id,

        -- text
        name as habit,
        url as page_url,

        -- booleans
        _deleted_at is not null as is_deleted,

        -- properties
        _properties as properties,

        -- times
        created_time as created_at,
        last_edited_time as last_edited_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
