{#- Compares HubSpot's own history with what the snapshots saw, for the time that both cover. A snapshot's row was made
    of a record that HubSpot last modified at `updated_at`, so the history has the same stage then. It covers the time
    from a property's first value to the last read of the record. HubSpot notes a modification within moments of the
    change itself. It is only a warning, since HubSpot keeps a limited number of values of each property. -#}
{{ config(severity='warn', tags=['marts']) }}

{%- set snapshots = {
    'deals': ('snap_hubspot__deals', 'deal_id', 'stage_id', 'dealstage', 'int_hubspot__deal_stays'),
    'contacts': (
        'snap_hubspot__contacts', 'contact_id', 'lifecycle_stage', 'lifecyclestage', 'int_hubspot__contact_stays',
    ),
} %}

with

covered as (

    select
        object_type,
        object_id,
        property,
        min(changed_at) as first_at,
        max(extracted_at) as read_at
    from {{ ref('stg_hubspot__property_history') }}
    group by object_type, object_id, property

),

seen as (

    {% for type, (snapshot, key, column, property, _) in snapshots.items() %}
        select
            '{{ type }}' as object_type,
            {{ key }} as object_id,
            '{{ property }}' as property,
            {{ column }} as value,
            updated_at
        from {{ ref(snapshot) }}
        where {{ column }} is not null
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

told as (

    {% for type, (_, key, column, property, stays) in snapshots.items() %}
        select
            '{{ type }}' as object_type,
            {{ key }} as object_id,
            {{ column }} as value,
            entered_at,
            left_at
        from {{ ref(stays) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

)

select
    seen.object_type,
    seen.object_id,
    seen.value,
    seen.updated_at
from seen
inner join covered
    on
        seen.object_type = covered.object_type
        and seen.object_id = covered.object_id
        and seen.property = covered.property
        and seen.updated_at between covered.first_at and covered.read_at
left join told
    on
        seen.object_type = told.object_type
        and seen.object_id = told.object_id
        and seen.value = told.value
        and told.entered_at <= timestamp_add(seen.updated_at, interval 1 minute)
        and (told.left_at is null or told.left_at >= timestamp_sub(seen.updated_at, interval 1 minute))
where told.object_id is null
