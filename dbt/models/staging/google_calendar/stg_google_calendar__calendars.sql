with

source as (

    select * from {{ source('google_calendar', 'calendars') }}

),

renamed as (

    select
        -- ids
        id as calendar_id,

        -- text
        coalesce(summary_override, summary, id) as calendar_name,
        time_zone,
        access_role,

        -- state
        is_primary,
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,

        -- times
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
