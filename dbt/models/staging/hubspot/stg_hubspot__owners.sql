with

source as (

    select * from {{ source('hubspot', 'owners') }}

),

renamed as (

    select
        -- ids
        id as owner_id,
        {{ hubspot_value('user_id') }} as user_id,
        _merged_into_id as merged_into_id,

        -- text
        lower({{ hubspot_value('email') }}) as email,
        {{ hubspot_value('first_name') }} as first_name,
        {{ hubspot_value('last_name') }} as last_name,
        {{ full_name(hubspot_value('first_name'), hubspot_value('last_name')) }} as full_name,
        {{ hubspot_value('type') }} as owner_type,

        -- state
        coalesce(archived, false) as is_archived,
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,

        -- times
        created_at,
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
