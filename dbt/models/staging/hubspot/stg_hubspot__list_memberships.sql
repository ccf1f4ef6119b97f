with

source as (

    select * from {{ source('hubspot', 'list_memberships') }}

),

renamed as (

    select
        -- ids
        id as membership_id,
        list_id,
        object_type,
        object_id,
        _merged_into_id as merged_into_id,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,

        -- times
        member_since,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
