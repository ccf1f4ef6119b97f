{#- One expression per rule: a text if the row breaks the rule, otherwise null. `rows_of_key` is the number of rows
    with the key of the row. -#}
{% macro broken_rules(key, not_null, accepted) -%}
    {%- set rules = ["if(rows_of_key > 1, '" ~ key | join(', ') ~ " is not unique', null)"] if key else [] -%}
    {%- for column in key + not_null -%}
        {%- do rules.append("if(" ~ column ~ " is null, '" ~ column ~ " is null', null)") -%}
    {%- endfor -%}
    {%- for column, values in accepted.items() -%}
        {%- set is_other = column ~ " not in ('" ~ values | join("', '") ~ "')" -%}
        {%- do rules.append("if(" ~ is_other ~ ", '" ~ column ~ " is not an accepted value', null)") -%}
    {%- endfor -%}
    {{ rules | join(', ') }}
{%- endmacro %}
