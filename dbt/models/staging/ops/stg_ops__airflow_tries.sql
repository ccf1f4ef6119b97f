with

records as (

    select * from {{ source('ops', 'airflow_tries') }}

),

renamed as (

    select
        dag_id,
        run_id,
        task_id,
        map_index,
        try_number,
        state,
        operator,
        pool,
        queued_at,
        started_at,
        ended_at,
        duration_seconds,
        updated_at
    from records

)

select * from renamed
