with

records as (

    select * from {{ source('ops', 'table_profiles') }}

),

renamed as (

    select
        table_name,
        column_name,
        profiled_at,
        kind,
        row_count,
        deleted_count,
        null_count,
        distinct_count,
        minimum,
        maximum
    from records

)

select * from renamed
