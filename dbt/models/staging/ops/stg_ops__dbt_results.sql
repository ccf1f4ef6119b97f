with

records as (

    select * from {{ source('ops', 'dbt_results') }}

),

renamed as (

    select
        invocation_id,
        node_id,
        build_id,
        refresh,
        layer,
        kind,
        name,
        status,
        started_at,
        duration_seconds,
        rows_affected,
        bytes_billed,
        failures
    from records

)

select * from renamed
