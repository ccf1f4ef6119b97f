{#- HubSpot's values, which are text whatever a property's type. -#}


{#- A property as a value of `type`, without the spaces around it; null when nothing is left, and when it cannot be
    cast. A time is ISO text or milliseconds since 1970. A date is not guessed from any other order of its parts. -#}
{% macro hubspot_value(property, type='string') -%}
    {%- set text = "nullif(trim(" ~ property ~ "), '')" -%}
    {%- set is_milliseconds = "regexp_contains(" ~ text ~ ", r'^-?[0-9]{9,14}$')" -%}
    {%- if type == 'string' -%}
        {{ text }}
    {%- elif type == 'numeric' -%}
        safe_cast({{ text }} as numeric)
    {%- elif type == 'int64' -%}
        if(
            trunc(safe_cast({{ text }} as numeric)) = safe_cast({{ text }} as numeric),
            safe_cast(safe_cast({{ text }} as numeric) as int64),
            null
        )
    {%- elif type == 'bool' -%}
        case lower({{ text }}) when 'true' then true when 'false' then false end
    {%- elif type == 'timestamp' -%}
        if(
            {{ is_milliseconds }},
            timestamp_millis(safe_cast({{ text }} as int64)),
            safe_cast({{ text }} as timestamp)
        )
    {%- elif type == 'date' -%}
        case
            when {{ is_milliseconds }} then date(timestamp_millis(safe_cast({{ text }} as int64)))
            when regexp_contains({{ text }}, r'^[0-9]{4}-[0-9]{2}-[0-9]{2}') then safe_cast(substr({{ text }}, 1, 10) as date)
        end
    {%- else -%}
        {{ exceptions.raise_compiler_error('hubspot_value knows no type ' ~ type) }}
    {%- endif -%}
{%- endmacro %}


{#- The properties, of those in `types` by name, that hold a value which cannot be cast to its type. -#}
{% macro hubspot_uncastable(types) -%}
    {%- set checks = [] -%}
    {%- for property, type in types.items() -%}
        {%- set is_lost = hubspot_value(property) ~ " is not null and " ~ hubspot_value(property, type) ~ " is null" -%}
        {%- do checks.append("if(" ~ is_lost ~ ", '" ~ property ~ "', null)") -%}
    {%- endfor -%}
    array(
        select property
        from unnest([{{ checks | join(', ') }}]) as property with offset as place
        where property is not null
        order by place
    )
{%- endmacro %}


{#- The values of a property that holds several, with semicolons. -#}
{% macro hubspot_list(property, function='') -%}
    array(
        select {{ function }}(trim(value))
        from unnest(split(coalesce({{ property }}, ''), ';')) as value with offset as place
        where trim(value) != ''
        order by place
    )
{%- endmacro %}


{#- First and last name as one; null when there is neither. -#}
{% macro full_name(first_name, last_name) -%}
    nullif(trim(concat(coalesce({{ first_name }}, ''), ' ', coalesce({{ last_name }}, ''))), '')
{%- endmacro %}


{#- The day of a time in the owner's time zone. HubSpot gives a day without a time as midnight in UTC: that is the day
    itself, wherever the owner is. -#}
{% macro hubspot_day(time) -%}
    if(
        {{ time }} = timestamp_trunc({{ time }}, day),
        date({{ time }}),
        date({{ time }}, {{ timezone() }})
    )
{%- endmacro %}
