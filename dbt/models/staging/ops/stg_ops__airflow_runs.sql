with

records as (

    select * from {{ source('ops', 'airflow_runs') }}

),

renamed as (

    select
        dag_id,
        run_id,
        run_type,
        state,
        due_at,
        queued_at,
        started_at,
        ended_at,
        updated_at
    from records

)

select * from renamed
