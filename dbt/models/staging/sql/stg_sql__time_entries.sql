with

source as (

    select * from {{ source('sql', 'time_entries') }}

),

renamed as (

    select
        -- ids
        id as record_id,

        -- the entity's own
        project,
        task,
        safe_cast(started_at as timestamp) as started_at,
        safe_cast(minutes as numeric) as minutes,
        safe_cast(is_billable as bool) as is_billable,
        {{ uncastable({
            'started_at': 'timestamp',
            'minutes': 'numeric',
            'is_billable': 'bool'
        }) }} as uncastable_columns,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,

        -- times
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
