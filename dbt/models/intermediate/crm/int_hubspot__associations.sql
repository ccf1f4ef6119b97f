{%- set known = [
    'contacts', 'companies', 'deals', 'calls', 'emails', 'meetings', 'notes', 'tasks', 'communications',
] -%}
with

merges as (

    select * from {{ ref('int_hubspot__merges') }}

),

-- Every record that an association can lead to.
records as (

    {% for type, one in [('contacts', 'contact'), ('companies', 'company'), ('deals', 'deal')] %}
        select
            '{{ type }}' as type,
            {{ one }}_id as record_id,
            is_deleted
        from {{ ref('stg_hubspot__' ~ type) }}
        union all
    {% endfor %}
    select
        type,
        record_id,
        is_deleted
    from {{ ref('int_engagements__unioned') }}

),

-- Of the types that the marts know; tickets and the owner's own types are in staging alone.
known as (

    select * from {{ ref('stg_hubspot__associations') }}
    where
        not is_deleted
        and from_type in ('{{ known | join("', '") }}')
        and to_type in ('{{ known | join("', '") }}')

),

-- HubSpot names a pair from one side; here it can be looked up from either.
both_ways as (

    select
        from_type,
        from_id,
        to_type,
        to_id,
        category,
        type_id,
        label
    from known
    union all
    select
        to_type as from_type,
        to_id as from_id,
        from_type as to_type,
        from_id as to_id,
        category,
        type_id,
        label
    from known

),

-- A merged record's associations are its winner's.
led as (

    select
        both_ways.from_type,
        coalesce(from_merges.winner_id, both_ways.from_id) as from_id,
        both_ways.to_type,
        coalesce(to_merges.winner_id, both_ways.to_id) as to_id,
        both_ways.label,
        -- The types of the primary company: contact to company, company to contact, deal to company, company to deal.
        coalesce(
            both_ways.category = 'HUBSPOT_DEFINED' and both_ways.type_id in (1, 2, 5, 6), false
        ) as is_primary
    from both_ways
    left join merges as from_merges
        on
            both_ways.from_type = from_merges.type
            and both_ways.from_id = from_merges.loser_id
    left join merges as to_merges
        on
            both_ways.to_type = to_merges.type
            and both_ways.to_id = to_merges.loser_id

),

-- The winner may have had them already.
current_pairs as (

    select
        from_type,
        from_id,
        to_type,
        to_id,
        logical_or(is_primary) as is_primary,
        array_agg(distinct label ignore nulls order by label) as labels
    from led
    group by from_type, from_id, to_type, to_id

),

flagged as (

    select
        current_pairs.from_type,
        current_pairs.from_id,
        current_pairs.to_type,
        current_pairs.to_id,
        current_pairs.is_primary,
        current_pairs.labels,
        from_records.record_id is null as is_from_missing,
        coalesce(from_records.is_deleted, false) as is_from_deleted,
        to_records.record_id is null as is_to_missing,
        coalesce(to_records.is_deleted, false) as is_to_deleted
    from current_pairs
    left join records as from_records
        on
            current_pairs.from_type = from_records.type
            and current_pairs.from_id = from_records.record_id
    left join records as to_records
        on
            current_pairs.to_type = to_records.type
            and current_pairs.to_id = to_records.record_id

)

select
    *,
    not is_from_missing and not is_from_deleted and not is_to_missing and not is_to_deleted as is_living
from flagged
