{#- Notion's date, 'YYYY-MM-DD' or a time, as the owner's day. A time without an offset is in its
    own time zone, else the owner's. What cannot be read is null. -#}
{% macro notion_day(start, time_zone='null') -%}
    case
        when length({{ start }}) = 10
            then safe_cast({{ start }} as date)
        when regexp_contains({{ start }}, r'(Z|[+-]\d\d:?\d\d)$')
            then date(safe_cast({{ start }} as timestamp), {{ timezone() }})
        else
            date(
                safe_cast(concat({{ start }}, ' ', coalesce({{ time_zone }}, {{ timezone() }})) as timestamp),
                {{ timezone() }}
            )
    end
{%- endmacro %}


{#- A name as it is compared: without case and without spaces. -#}
{% macro name_key(name) -%}
    regexp_replace(lower({{ name }}), r'\s+', '')
{%- endmacro %}
