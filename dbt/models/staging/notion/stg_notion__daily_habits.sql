with

source as (

    select * from {{ source('notion', 'daily_habits') }}

),

renamed as (

    select
        -- ids
        id as page_id,
        database_id,
        data_source_id,

        -- text
        name as page_name,
        url as page_url,

        -- dates
        date_start,
        {{ notion_day('date_start', 'date_time_zone') }} as day_on,

        -- booleans
        date_start is not null
        and {{ notion_day('date_start', 'date_time_zone') }} is null as has_uncastable_date,
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
