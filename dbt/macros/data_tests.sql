{#- The rules that a row breaks, as words, null for each that it keeps; `rows_of_key` is how many rows have its key. -#}
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
