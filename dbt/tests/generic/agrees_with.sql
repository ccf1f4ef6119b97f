{#- Tests that a snapshot has exactly one current row per key of `relation`, with the same values. A load between
    the two builds causes a difference until the next build, so use it with severity warn. -#}
{% test agrees_with(model, relation, key, columns) %}

with

current_rows as (

    select * from {{ model }}
    where dbt_valid_to is null

),

compared as (

    select
        expected.{{ key }},
        count(current_rows.{{ key }}) as row_count,
        logical_and(
            {% for column in columns %}
                expected.{{ column }} is not distinct from current_rows.{{ column }} and
            {% endfor %}
            true
        ) as is_same
    from {{ relation }} as expected
    left join current_rows
        on expected.{{ key }} = current_rows.{{ key }}
    group by expected.{{ key }}

)

select * from compared
where row_count != 1 or not is_same

{% endtest %}
