with

source as (

    select * from {{ source('hubspot', 'meetings') }}

),

renamed as (

    select
        -- ids
        id as meeting_id,
        {{ hubspot_value('hubspot_owner_id') }} as owner_id,
        _merged_into_id as merged_into_id,

        -- text
        {{ hubspot_value('hs_meeting_title') }} as title,
        {{ hubspot_value('hs_meeting_outcome') }} as outcome,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ hubspot_uncastable({
            'hs_timestamp': 'timestamp',
            'hs_meeting_start_time': 'timestamp',
            'hs_meeting_end_time': 'timestamp'
        }) }} as uncastable_columns,

        -- times
        {{ hubspot_value('hs_timestamp', 'timestamp') }} as occurred_at,
        {{ hubspot_value('hs_meeting_start_time', 'timestamp') }} as start_at,
        {{ hubspot_value('hs_meeting_end_time', 'timestamp') }} as end_at,
        created_at,
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
