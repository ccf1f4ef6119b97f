{#- HubSpot returns every value as text, independent of the property's type. -#}


{#- Cast a property to `type`, without surrounding spaces; null if it is empty or cannot be cast. A time may be ISO
    text or milliseconds since 1970. A date must be in ISO order; other orders are not guessed. -#}
{% macro hubspot_value(property, type='string') -%}
    {%- set text = "nullif(trim(" ~ property ~ "), '')" -%}
    {#- Only the years 1 to 9999, the range of TIMESTAMP. -#}
    {%- set is_milliseconds = "regexp_contains(" ~ text ~ ", r'^-?[0-9]{9,14}$') and safe_cast(" ~ text
        ~ " as int64) >= -62135596800000" -%}
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


{#- An array with the names of those properties in `types` (name to type) whose value cannot be cast to its type. -#}
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


{#- The values of a property that holds several, separated by semicolons. -#}
{% macro hubspot_list(property, function='') -%}
    array(
        select {{ function }}(trim(value))
        from unnest(split(coalesce({{ property }}, ''), ';')) as value with offset as place
        where trim(value) != ''
        order by place
    )
{%- endmacro %}


{#- First and last name in one text; null if there is neither. -#}
{% macro full_name(first_name, last_name) -%}
    nullif(trim(concat(coalesce({{ first_name }}, ''), ' ', coalesce({{ last_name }}, ''))), '')
{%- endmacro %}


{#- The date of a time in the owner's time zone. HubSpot returns a date without a time as midnight in UTC; then it
    is that date, independent of the owner's time zone. -#}
{% macro hubspot_day(time) -%}
    if(
        {{ time }} = timestamp_trunc({{ time }}, day),
        date({{ time }}),
        {{ day_of(time) }}
    )
{%- endmacro %}
