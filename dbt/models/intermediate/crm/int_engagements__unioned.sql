with

calls as (

    select
        'calls' as type,
        call_id as record_id,
        owner_id,
        occurred_at,
        if(duration_ms >= 0, safe_cast(duration_ms / 1000 as int64), null) as duration_seconds,
        lower(direction) as direction,
        true as is_synchronous,
        cast(null as string) as channel,
        title as subject,
        lower(status) as status,
        is_deleted,
        created_at,
        updated_at
    from {{ ref('stg_hubspot__calls') }}

),

emails as (

    select
        'emails' as type,
        email_id as record_id,
        owner_id,
        occurred_at,
        cast(null as int64) as duration_seconds,
        -- The direction of an e-mail that was forwarded to HubSpot is not known, and a draft has none.
        case upper(direction)
            when 'EMAIL' then 'outbound'
            when 'INCOMING_EMAIL' then 'inbound'
            when 'FORWARDED_EMAIL' then null
            when 'DRAFT_EMAIL' then null
            else lower(direction)
        end as direction,
        false as is_synchronous,
        cast(null as string) as channel,
        subject,
        coalesce(if(upper(direction) = 'DRAFT_EMAIL', 'draft', null), lower(status)) as status,
        is_deleted,
        created_at,
        updated_at
    from {{ ref('stg_hubspot__emails') }}

),

meetings as (

    select
        'meetings' as type,
        meeting_id as record_id,
        owner_id,
        coalesce(start_at, occurred_at) as occurred_at,
        if(end_at >= start_at, timestamp_diff(end_at, start_at, second), null) as duration_seconds,
        cast(null as string) as direction,
        true as is_synchronous,
        cast(null as string) as channel,
        title as subject,
        lower(outcome) as status,
        is_deleted,
        created_at,
        updated_at
    from {{ ref('stg_hubspot__meetings') }}

),

notes as (

    select
        'notes' as type,
        note_id as record_id,
        owner_id,
        occurred_at,
        cast(null as int64) as duration_seconds,
        cast(null as string) as direction,
        false as is_synchronous,
        cast(null as string) as channel,
        cast(null as string) as subject,
        cast(null as string) as status,
        is_deleted,
        created_at,
        updated_at
    from {{ ref('stg_hubspot__notes') }}

),

tasks as (

    select
        'tasks' as type,
        task_id as record_id,
        owner_id,
        occurred_at,
        cast(null as int64) as duration_seconds,
        cast(null as string) as direction,
        cast(null as bool) as is_synchronous,
        cast(null as string) as channel,
        subject,
        lower(status) as status,
        is_deleted,
        created_at,
        updated_at
    from {{ ref('stg_hubspot__tasks') }}

),

communications as (

    select
        'communications' as type,
        communication_id as record_id,
        owner_id,
        occurred_at,
        cast(null as int64) as duration_seconds,
        cast(null as string) as direction,
        false as is_synchronous,
        lower(channel) as channel,
        cast(null as string) as subject,
        cast(null as string) as status,
        is_deleted,
        created_at,
        updated_at
    from {{ ref('stg_hubspot__communications') }}

),

unioned as (

    select * from calls
    union all
    select * from emails
    union all
    select * from meetings
    union all
    select * from notes
    union all
    select * from tasks
    union all
    select * from communications

)

select
    concat(type, ':', record_id) as engagement_id,
    type,
    record_id,
    owner_id,
    occurred_at,
    duration_seconds,
    direction,
    is_synchronous,
    channel,
    subject,
    status,
    -- Engagements that did not take place are not touches: missed meetings and calls, and undelivered e-mails.
    type in ('calls', 'emails', 'meetings', 'communications')
    and coalesce(status, '') not in (
        'bounced', 'busy', 'canceled', 'cancelled', 'draft', 'failed', 'missed', 'no_answer', 'no_show', 'rescheduled'
    ) as is_touch,
    is_deleted,
    created_at,
    updated_at
from unioned
