with

-- A property keeps its id when it is renamed; pages read before that still carry the old name.
latest as (

    select
        data_source_id,
        property_id,
        period,
        property_name,
        property_type
    from {{ ref('int_habits__unpivoted') }}
    where not is_deleted
    qualify
        row_number() over (
            partition by data_source_id, property_id, period
            order by extracted_at desc, property_name asc
        ) = 1

),

targets as (

    select
        habit_key,
        period,
        countif(target is not null) as target_count
    from {{ ref('int_habits__targets') }}
    group by habit_key, period

),

named as (

    select
        to_hex(md5(concat(latest.data_source_id, ':', latest.property_id))) as habit_id,
        latest.data_source_id,
        latest.property_id,
        latest.property_name as habit,
        {{ name_key('latest.property_name') }} as habit_key,
        latest.period,
        latest.property_type,
        targets.habit_key is not null as has_target
    from latest
    left join targets
        on
            {{ name_key('latest.property_name') }} = targets.habit_key
            and latest.period = targets.period
    where
        latest.property_type = 'checkbox'
        or targets.target_count > 0

)

select * from named
