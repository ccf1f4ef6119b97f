with

named as (

    select * from {{ ref('int_habits__named') }}

),

-- Several rows of one habit and period are combined: one tick is enough, and amounts are added up.
records as (

    select
        named.habit_id,
        named.period,
        unpivoted.period_start_on,
        logical_or(unpivoted.is_ticked) as is_ticked,
        sum(unpivoted.amount) as amount
    from {{ ref('int_habits__unpivoted') }} as unpivoted
    inner join named
        on
            unpivoted.data_source_id = named.data_source_id
            and unpivoted.property_id = named.property_id
            and unpivoted.period = named.period
    where
        not unpivoted.is_deleted
        and unpivoted.period_start_on <= {{ period_start(today(), 'unpivoted.period') }}
        and (unpivoted.is_ticked is not null or unpivoted.amount is not null)
    group by named.habit_id, named.period, unpivoted.period_start_on

),

spans as (

    select
        habit_id,
        period,
        min(period_start_on) as first_on,
        {{ period_start(today(), 'period') }} as current_on
    from records
    group by habit_id, period

),

calendar as (

    select
        spans.habit_id,
        spans.period,
        period_start_on,
        period_start_on = spans.current_on as is_current
    from spans
    cross join
        unnest(
            case spans.period
                when 'weekly' then generate_date_array(spans.first_on, spans.current_on, interval 1 week)
                when 'monthly' then generate_date_array(spans.first_on, spans.current_on, interval 1 month)
                else generate_date_array(spans.first_on, spans.current_on, interval 1 day)
            end
        ) as period_start_on

),

-- Where the times of targets overlap, the target that began last counts.
active_targets as (

    select
        calendar.habit_id,
        calendar.period,
        calendar.period_start_on,
        targets.target
    from calendar
    inner join named
        on
            calendar.habit_id = named.habit_id
            and calendar.period = named.period
    inner join {{ ref('int_habits__targets') }} as targets
        on
            named.habit_key = targets.habit_key
            and named.period = targets.period
    where
        calendar.period_start_on >= coalesce(targets.active_from_on, date '0001-01-01')
        and calendar.period_start_on <= coalesce(targets.active_until_on, date '9999-12-31')
        and (targets.target is not null or named.property_type = 'checkbox')
    qualify
        row_number() over (
            partition by calendar.habit_id, calendar.period, calendar.period_start_on
            order by coalesce(targets.active_from_on, date '0001-01-01') desc, targets.target_id asc
        ) = 1

),

joined as (

    select
        named.habit_id,
        named.data_source_id,
        named.property_id,
        named.property_type,
        named.habit,
        calendar.period,
        calendar.period_start_on as date,
        case named.property_type
            when 'number' then coalesce(records.amount >= active_targets.target, false)
            else coalesce(records.is_ticked, false)
        end as is_complete,
        records.amount,
        active_targets.target,
        records.habit_id is not null as is_recorded,
        active_targets.habit_id is not null or not named.has_target as is_due,
        calendar.is_current
    from calendar
    inner join named
        on
            calendar.habit_id = named.habit_id
            and calendar.period = named.period
    left join records
        on
            calendar.habit_id = records.habit_id
            and calendar.period = records.period
            and calendar.period_start_on = records.period_start_on
    left join active_targets
        on
            calendar.habit_id = active_targets.habit_id
            and calendar.period = active_targets.period
            and calendar.period_start_on = active_targets.period_start_on

)

select * from joined
