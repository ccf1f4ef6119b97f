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


{#- A property of a page as a value of what Notion says that it is. What has no better form is JSON as text.
    https://developers.notion.com/reference/page-property-values -#}
{% macro notion_property(id, type) -%}
    {%- set held = "from unnest(_properties) as each where each.id = " ~ tojson(id) -%}
    {%- set value = "(select any_value(each.value) " ~ held ~ ")" -%}
    {%- if type == 'number' -%}
        safe_cast(json_value({{ value }}) as numeric)
    {%- elif type == 'checkbox' -%}
        json_value({{ value }}) = 'true'
    {%- elif type in ('title', 'rich_text') -%}
        array_to_string(
            array(
                select json_value(part, '$.plain_text')
                from unnest(json_query_array({{ value }})) as part with offset as place
                order by place
            ), ''
        )
    {%- elif type in ('select', 'status') -%}
        json_value({{ value }}, '$.name')
    {%- elif type == 'multi_select' -%}
        array(
            select json_value(part, '$.name')
            from unnest(json_query_array({{ value }})) as part with offset as place
            order by place
        )
    {%- elif type in ('people', 'relation') -%}
        array(
            select json_value(part, '$.id')
            from unnest(json_query_array({{ value }})) as part with offset as place
            order by place
        )
    {%- elif type == 'date' -%}
        {%- set start = "json_value(" ~ value ~ ", '$.start')" -%}
        {%- set time_zone = "json_value(" ~ value ~ ", '$.time_zone')" -%}
        {{ notion_day(start, time_zone) }}
    {%- elif type in ('created_time', 'last_edited_time') -%}
        safe_cast(json_value({{ value }}) as timestamp)
    {%- elif type in ('created_by', 'last_edited_by') -%}
        json_value({{ value }}, '$.id')
    {%- elif type in ('url', 'email', 'phone_number') -%}
        json_value({{ value }})
    {%- else -%}
        to_json_string({{ value }})
    {%- endif -%}
{%- endmacro %}
