with

pages as (

    select * from {{ ref('stg_notion__habit_targets') }}
    where not is_deleted

),

properties as (

    select
        pages.page_id,
        pages.habit,
        pages.data_source_id,
        property.id as property_id,
        property.name as property_name,
        property.value as property_value,
        pages.extracted_at
    from pages
    left join unnest(pages.properties) as property

),

-- A property keeps its id when it is renamed; pages read before that still carry the old name.
property_names as (

    select
        data_source_id,
        property_id,
        {{ name_key('property_name') }} as property_key
    from properties
    where property_id is not null
    qualify
        row_number() over (
            partition by data_source_id, property_id
            order by extracted_at desc, property_name asc
        ) = 1

),

texts as (

    select
        properties.page_id,
        properties.habit,
        max(
            if(
                property_names.property_key = 'period',
                coalesce(
                    json_value(properties.property_value, '$.name'),
                    json_value(properties.property_value, '$.string')
                ),
                null
            )
        ) as period,
        max(
            if(
                property_names.property_key = 'target',
                coalesce(json_value(properties.property_value), json_value(properties.property_value, '$.number')),
                null
            )
        ) as target,
        max(
            if(
                property_names.property_key = 'activefrom',
                coalesce(
                    json_value(properties.property_value, '$.start'),
                    json_value(properties.property_value, '$.date.start')
                ),
                null
            )
        ) as active_from,
        max(
            if(
                property_names.property_key = 'activeuntil',
                coalesce(
                    json_value(properties.property_value, '$.start'),
                    json_value(properties.property_value, '$.date.start')
                ),
                null
            )
        ) as active_until
    from properties
    left join property_names
        on
            properties.data_source_id = property_names.data_source_id
            and properties.property_id = property_names.property_id
    group by properties.page_id, properties.habit

),

from_notion as (

    select
        page_id as target_id,
        habit,
        lower(trim(period)) as period,
        safe_cast(target as float64) as target,
        {{ notion_day('active_from') }} as active_from_on,
        {{ notion_day('active_until') }} as active_until_on,
        target is not null and safe_cast(target as float64) is null as has_uncastable_target,
        (active_from is not null and {{ notion_day('active_from') }} is null)
        or (active_until is not null and {{ notion_day('active_until') }} is null) as has_uncastable_date
    from texts

),

-- The seed is only used while Notion has no target at all.
from_seed as (

    select
        concat('seed:', habit, ':', period, ':', coalesce(cast(active_from_on as string), '')) as target_id,
        habit,
        lower(trim(period)) as period,
        target,
        active_from_on,
        active_until_on,
        false as has_uncastable_target,
        false as has_uncastable_date
    from {{ ref('habit_targets') }}
    where not exists (select 1 from pages)

),

unioned as (

    select * from from_notion
    union all
    select * from from_seed

)

select
    target_id,
    habit,
    {{ name_key('habit') }} as habit_key,
    period,
    target,
    active_from_on,
    active_until_on,
    has_uncastable_target,
    has_uncastable_date
from unioned
