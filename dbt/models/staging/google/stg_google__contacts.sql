with

source as (

    select * from {{ source('google', 'contacts') }}

),

renamed as (

    select
        -- ids
        id as contact_id,
        contact_id as source_contact_id,
        _merged_into_id as merged_into_id,

        -- lists
        names,
        email_addresses,
        phone_numbers,
        organizations,
        addresses,
        birthdays,
        events,
        memberships,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,

        -- times
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
