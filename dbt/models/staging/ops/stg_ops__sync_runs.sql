with

records as (

    select * from {{ source('ops', 'sync_runs') }}

),

renamed as (

    select
        run_id,
        source,
        entity,
        refresh,
        started_at,
        extracted_at,
        committed_at,
        window_since,
        window_until,
        cursor_at,
        rows_read,
        rows_inserted,
        rows_updated,
        rows_tombstoned,
        request_count,
        caps_met,
        duration_seconds,
        is_complete,
        landing_uri,
        rows_rejected,
        content_digest,
        sync_token,
        schema_digest,
        rows_in_source,
        rows_in_warehouse,
        {{ is_complete_run() }} as is_complete_run,
        rows_inserted + rows_updated + rows_tombstoned > 0 as is_change
    from records

)

select * from renamed
