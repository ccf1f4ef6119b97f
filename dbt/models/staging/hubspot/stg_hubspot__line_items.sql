with

source as (

    select * from {{ source('hubspot', 'line_items') }}

),

renamed as (

    select
        -- ids
        id as line_item_id,
        {{ hubspot_value('hs_product_id') }} as product_id,
        _merged_into_id as merged_into_id,

        -- text
        {{ hubspot_value('name') }} as line_item,
        {{ hubspot_value('hs_sku') }} as sku,

        -- numbers
        {{ hubspot_value('quantity', 'numeric') }} as quantity,
        {{ hubspot_value('price', 'numeric') }} as price,
        {{ hubspot_value('discount', 'numeric') }} as discount,
        {{ hubspot_value('amount', 'numeric') }} as amount,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ hubspot_uncastable({
            'quantity': 'numeric',
            'price': 'numeric',
            'discount': 'numeric',
            'amount': 'numeric'
        }) }} as uncastable_columns,

        -- times
        created_at,
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
