with

source as (

    select * from {{ source('hubspot', 'products') }}

),

renamed as (

    select
        -- ids
        id as product_id,
        _merged_into_id as merged_into_id,

        -- text
        {{ hubspot_value('name') }} as product,
        {{ hubspot_value('description') }} as description,
        {{ hubspot_value('hs_sku') }} as sku,

        -- numbers
        {{ hubspot_value('price', 'numeric') }} as price,
        {{ hubspot_value('hs_cost_of_goods_sold', 'numeric') }} as cost,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ hubspot_uncastable({
            'price': 'numeric',
            'hs_cost_of_goods_sold': 'numeric'
        }) }} as uncastable_columns,

        -- times
        created_at,
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
