{#- An array with the names of those text columns in `types` (name to type) whose value cannot be cast to its type. -#}
{% macro uncastable(types) -%}
    {%- set checks = [] -%}
    {%- for name, type in types.items() -%}
        {%- set is_lost = name ~ " is not null and safe_cast(" ~ name ~ " as " ~ type ~ ") is null" -%}
        {%- do checks.append("if(" ~ is_lost ~ ", '" ~ name ~ "', null)") -%}
    {%- endfor -%}
    array(
        select lost
        from unnest([{{ checks | join(', ') }}]) as lost with offset as place
        where lost is not null
        order by place
    )
{%- endmacro %}
