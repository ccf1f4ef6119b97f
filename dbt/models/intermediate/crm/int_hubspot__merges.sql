{%- set hops = 6 -%}

with

losers as (

    {% for type, one in [('contacts', 'contact'), ('companies', 'company'), ('deals', 'deal')] %}
        select
            '{{ type }}' as type,
            {{ one }}_id as loser_id,
            merged_into_id
        from {{ ref('stg_hubspot__' ~ type) }}
        where is_deleted and merged_into_id is not null
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- A winner may have been merged on. HubSpot leads most losers to the last winner itself, so chains are short; a test
-- tells of one that does not end here.
followed as (

    select
        losers.type,
        losers.loser_id,
        coalesce(
            {% for hop in range(hops, 0, -1) %}
                hop_{{ hop }}.merged_into_id,
            {% endfor %}
            losers.merged_into_id
        ) as winner_id
    from losers
    {% for hop in range(1, hops + 1) %}
        {% set before = 'losers' if loop.first else 'hop_' ~ (hop - 1) %}
        left join losers as hop_{{ hop }}
            on
                {{ before }}.type = hop_{{ hop }}.type
                and {{ before }}.merged_into_id = hop_{{ hop }}.loser_id
    {% endfor %}

)

select * from followed
