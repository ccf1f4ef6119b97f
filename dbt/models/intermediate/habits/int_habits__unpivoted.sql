with

pages as (

    {% for period in ['daily', 'weekly', 'monthly'] %}
        select
            '{{ period }}' as period,
            page_id,
            data_source_id,
            if(day_on >= {{ first_day() }}, day_on, null) as day_on,
            is_deleted,
            properties,
            extracted_at
        from {{ ref('stg_notion__' ~ period ~ '_habits') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

unpivoted as (

    select
        -- ids
        pages.page_id,
        pages.data_source_id,
        property.id as property_id,

        -- text
        pages.period,
        property.name as property_name,
        property.type as property_type,

        -- dates
        pages.day_on,
        {{ period_start('pages.day_on', 'pages.period') }} as period_start_on,

        -- values
        case when property.type = 'checkbox' then safe_cast(json_value(property.value) as bool) end as is_ticked,
        case when property.type = 'number' then safe_cast(json_value(property.value) as float64) end as amount,

        -- booleans
        case property.type
            when 'checkbox' then safe_cast(json_value(property.value) as bool) is null
            when 'number' then safe_cast(json_value(property.value) as float64) is null
        end
        and coalesce(to_json_string(property.value), 'null') != 'null' as has_uncastable_value,
        pages.is_deleted,

        -- times
        pages.extracted_at

    from pages
    cross join unnest(pages.properties) as property
    where property.type in ('checkbox', 'number')

),

unioned as (

    select * from unpivoted
    union all
    -- Habits that events tick have the same columns.
    select
        page_id,
        data_source_id,
        property_id,
        period,
        property_name,
        property_type,
        day_on,
        period_start_on,
        is_ticked,
        amount,
        has_uncastable_value,
        is_deleted,
        extracted_at
    from {{ ref('int_calendar__habits') }}

)

select * from unioned
