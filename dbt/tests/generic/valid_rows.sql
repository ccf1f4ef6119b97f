{#- One query per relation, however many rules: BigQuery bills at least 10 MB for each table that a query looks at.
    A row of the answer is a broken rule: its words, how many rows break it, and what names one of them.
    The columns of `key` are together unique, and none is null. -#}
{% test valid_rows(model, key=[], not_null=[], accepted={}) %}

with

counted as (

    select
        *,
        {{ 'count(*) over (partition by ' ~ key | join(', ') ~ ')' if key else '1' }} as rows_of_key
    from {{ model }}

),

broken as (

    select
        rule,
        to_json_string(struct({{ (key + not_null) | join(', ') }})) as example
    from counted
    cross join unnest([{{ broken_rules(key, not_null, accepted) }}]) as rule
    where rule is not null

)

select
    rule,
    count(*) as row_count,
    min(example) as example
from broken
group by rule

{% endtest %}
