with

records as (

    select * from {{ source('ops', 'schema_changes') }}

),

renamed as (

    select
        change_id,
        source,
        entity,
        property_id,
        change,
        name_before,
        name_after,
        type_before,
        type_after,
        first_seen_at,
        run_id
    from records

)

select * from renamed
