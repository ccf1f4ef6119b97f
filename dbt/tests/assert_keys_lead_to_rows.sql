{#- All references are tested in one query, since BigQuery bills each table that a query reads, and only in a build
    of everything (the tag `full`). It is only a warning, since a load between the builds of two marts causes a
    difference until the next build. -#}
{{ config(severity='warn', tags=['full']) }}

{#- For each mart: its key, and the columns of other marts that refer to that key, as a value or in an array. -#}
{%- set references = {
    'habits': ('habit_id', [('habit_metrics', '[habit_id]')]),
    'companies': (
        'company_id',
        [('contacts', '[company_id]'), ('deals', '[company_id]'), ('engagements', 'company_ids')],
    ),
    'contacts': (
        'contact_id',
        [('deals', 'contact_ids'), ('engagements', 'contact_ids'), ('people', 'hubspot_contact_ids')],
    ),
    'deals': ('deal_id', [('engagements', 'deal_ids')]),
    'people': (
        'person_id',
        [
            ('people_matches', '[person_id]'), ('people_matches', '[other_person_id]'),
            ('relationships', '[person_id]'), ('meetings', 'person_ids'),
        ],
    ),
} -%}

with

rows_of_marts as (

    {% for mart, (key, _) in references.items() %}
        select distinct
            '{{ mart }}' as mart,
            {{ key }} as row_key
        from {{ ref(mart) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

keys as (

    {% for mart, (_, places) in references.items() %}
        {% set is_last_mart = loop.last %}
        {% for place, column in places %}
            select
                '{{ mart }}' as mart,
                '{{ place }}.{{ column.strip("[]") }}' as place,
                held_key
            from {{ ref(place) }}
            cross join unnest({{ column }}) as held_key
            {% if not (loop.last and is_last_mart) %}union all{% endif %}
        {% endfor %}
    {% endfor %}

)

select
    keys.place,
    keys.mart,
    count(*) as row_count,
    min(keys.held_key) as example
from keys
left join rows_of_marts
    on
        keys.mart = rows_of_marts.mart
        and keys.held_key = rows_of_marts.row_key
where
    keys.held_key is not null
    and rows_of_marts.row_key is null
group by keys.place, keys.mart
