{#- A date of Notion ('YYYY-MM-DD' or a time) as a date in the owner's time zone. A time without an offset is in the
    time zone of the value if it has one, or else in the owner's. Null if it cannot be read. -#}
{% macro notion_day(start, time_zone='null') -%}
    case
        when length({{ start }}) = 10
            then safe_cast({{ start }} as date)
        when regexp_contains({{ start }}, r'(Z|[+-]\d\d:?\d\d)$')
            then {{ day_of("safe_cast(" ~ start ~ " as timestamp)") }}
        else
            {{ day_of("safe_cast(concat(" ~ start ~ ", ' ', coalesce(" ~ time_zone ~ ", " ~ timezone() ~ ")) as timestamp)") }}
    end
{%- endmacro %}


{#- A name for comparisons: in lower case and without spaces. -#}
{% macro name_key(name) -%}
    regexp_replace(lower({{ name }}), r'\s+', '')
{%- endmacro %}


{#- A property of a page, cast according to its type in Notion. Types without a better form become JSON as text.
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
