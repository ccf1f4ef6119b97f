with

source as (

    select * from {{ source('google_sheets', 'ledger') }}

),

renamed as (

    select
        -- ids
        id as entry_id,

        -- text
        description as entry_description,
        category,
        account,

        -- numbers
        safe_cast(amount as numeric) as amount,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ uncastable({'date': 'date', 'amount': 'numeric'}) }} as uncastable_columns,

        -- times
        safe_cast(date as date) as entry_on,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
