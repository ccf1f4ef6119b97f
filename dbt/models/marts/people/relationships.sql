with

participations as (

    select * from {{ ref('int_people__participations') }}

),

touches as (

    select * from participations
    where is_past_touch

),

touched as (

    select
        person_id,
        max(occurred_at) as last_touch_at,
        array_agg(type order by occurred_at desc, engagement_id asc limit 1)[safe_offset(0)] as last_touch_type,
        countif(day_on > date_sub({{ today() }}, interval 30 day)) as touches_30_days,
        countif(day_on > date_sub({{ today() }}, interval 90 day)) as touches_90_days,
        countif(day_on > date_sub({{ today() }}, interval 365 day)) as touches_365_days
    from touches
    group by person_id

),

-- Several touches on one day count as one, since there are no days between them.
touch_days as (

    select distinct
        person_id,
        day_on
    from touches
    where day_on > date_sub({{ today() }}, interval 365 day)

),

gaps as (

    select
        person_id,
        date_diff(day_on, lag(day_on) over (partition by person_id order by day_on), day) as gap_days
    from touch_days

),

ranked_gaps as (

    select
        person_id,
        gap_days,
        row_number() over (partition by person_id order by gap_days) as place,
        count(*) over (partition by person_id) as gap_count
    from gaps
    where gap_days is not null

),

-- The median: the middle gap, or the mean of the two in the middle. Fewer than four gaps are no rhythm.
cadences as (

    select
        person_id,
        avg(gap_days) as cadence_days
    from ranked_gaps
    where
        gap_count >= 4
        and 2 * place between gap_count and gap_count + 2
    group by person_id

),

planned as (

    select
        person_id,
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
    group by person_id

),

-- For a birthday on 29 February, the last day of February is used in other years.
birthdays as (

    select
        person_id,
        array(
            select day_on
            from
                unnest([
                    {{ birthday_in('extract(year from ' ~ today() ~ ')') }},
                    {{ birthday_in('extract(year from ' ~ today() ~ ') + 1') }}
                ]) as day_on
            where day_on >= {{ today() }}
            order by day_on
        )[safe_offset(0)] as next_birthday_on
    from {{ ref('people') }}
    where
        birth_month between 1 and 12
        and birth_day between 1 and 31

),

joined as (

    select
        people.person_id,
        people.full_name,
        people.email,
        people.company_name,
        people.owner,
        people.sources,
        people.birth_year,
        birthdays.next_birthday_on,
        touched.last_touch_at,
        touched.last_touch_type,
        planned.next_touch_at,
        planned.next_touch_type,
        coalesce(touched.touches_30_days, 0) as touches_30_days,
        coalesce(touched.touches_90_days, 0) as touches_90_days,
        coalesce(touched.touches_365_days, 0) as touches_365_days,
        cadences.cadence_days,
        date_diff({{ today() }}, {{ day_of('touched.last_touch_at') }}, day) as days_since_last_touch
    from {{ ref('people') }} as people
    left join touched
        on people.person_id = touched.person_id
    left join cadences
        on people.person_id = cadences.person_id
    left join planned
        on people.person_id = planned.person_id
    left join birthdays
        on people.person_id = birthdays.person_id

)

select
    person_id,
    full_name,
    email,
    company_name,
    owner,
    sources,
    last_touch_at,
    last_touch_type,
    next_touch_at,
    next_touch_type,
    touches_30_days,
    touches_90_days,
    touches_365_days,
    cadence_days,
    days_since_last_touch,
    days_since_last_touch > greatest(2 * cadence_days, 30) as is_going_cold,
    next_birthday_on,
    date_diff(next_birthday_on, {{ today() }}, day) as days_to_birthday,
    extract(year from next_birthday_on) - birth_year as age_at_birthday
from joined
