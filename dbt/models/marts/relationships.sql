with

participations as (

    select
        contact_id,
        engagements.engagement_id,
        engagements.type,
        engagements.occurred_at,
        date(engagements.occurred_at, {{ timezone() }}) as day_on,
        engagements.status,
        engagements.is_touch
    from {{ ref('engagements') }} as engagements
    cross join unnest(engagements.contact_ids) as contact_id
    where engagements.occurred_at is not null

),

touches as (

    select * from participations
    where is_touch and occurred_at <= {{ now() }}

),

touched as (

    select
        contact_id,
        max(occurred_at) as last_touch_at,
        array_agg(type order by occurred_at desc, engagement_id asc limit 1)[safe_offset(0)] as last_touch_type,
        countif(day_on > date_sub({{ today() }}, interval 30 day)) as touches_30_days,
        countif(day_on > date_sub({{ today() }}, interval 90 day)) as touches_90_days,
        countif(day_on > date_sub({{ today() }}, interval 365 day)) as touches_365_days
    from touches
    group by contact_id

),

-- Several touches on one day are one: the days between them would be none.
touch_days as (

    select distinct
        contact_id,
        day_on
    from touches
    where day_on > date_sub({{ today() }}, interval 365 day)

),

gaps as (

    select
        contact_id,
        date_diff(day_on, lag(day_on) over (partition by contact_id order by day_on), day) as gap_days
    from touch_days

),

ranked_gaps as (

    select
        contact_id,
        gap_days,
        row_number() over (partition by contact_id order by gap_days) as place,
        count(*) over (partition by contact_id) as gap_count
    from gaps
    where gap_days is not null

),

-- The median: the middle gap, or the mean of the two in the middle.
cadences as (

    select
        contact_id,
        avg(gap_days) as cadence_days
    from ranked_gaps
    where
        gap_count >= 2
        and 2 * place between gap_count and gap_count + 2
    group by contact_id

),

planned as (

    select
        contact_id,
        min(occurred_at) as next_touch_at,
        array_agg(type order by occurred_at asc, engagement_id asc limit 1)[safe_offset(0)] as next_touch_type
    from participations
    where
        (
            type = 'meetings'
            and coalesce(status, '') not in ('canceled', 'cancelled', 'no_show')
            and occurred_at > {{ now() }}
        )
        or (
            type = 'tasks'
            and coalesce(status, '') != 'completed'
            and day_on >= {{ today() }}
        )
    group by contact_id

),

joined as (

    select
        contacts.contact_id,
        contacts.full_name,
        contacts.email,
        contacts.company_name,
        contacts.owner,
        touched.last_touch_at,
        touched.last_touch_type,
        planned.next_touch_at,
        planned.next_touch_type,
        coalesce(touched.touches_30_days, 0) as touches_30_days,
        coalesce(touched.touches_90_days, 0) as touches_90_days,
        coalesce(touched.touches_365_days, 0) as touches_365_days,
        cadences.cadence_days,
        date_diff({{ today() }}, date(touched.last_touch_at, {{ timezone() }}), day) as days_since_last_touch
    from {{ ref('contacts') }} as contacts
    left join touched
        on contacts.contact_id = touched.contact_id
    left join cadences
        on contacts.contact_id = cadences.contact_id
    left join planned
        on contacts.contact_id = planned.contact_id

)

select
    *,
    days_since_last_touch > greatest(2 * cadence_days, 30) as is_going_cold
from joined
