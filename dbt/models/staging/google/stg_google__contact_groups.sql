with

source as (

    select * from {{ source('google', 'contact_groups') }}

),

renamed as (

    select
        -- ids
        id as contact_group_id,

        -- text
        coalesce(formatted_name, name) as contact_group_name,
        group_type = 'SYSTEM_CONTACT_GROUP' as is_system_group,

        -- numbers
        member_count as members_count,

        -- state
        _deleted_at is not null as is_deleted,

        -- times
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
