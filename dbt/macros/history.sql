{#- The stays of a record: periods in which the values of `columns` did not change, from the rows of a snapshot.

    A stay begins when HubSpot last modified the record before the snapshot saw the change, but not before the
    snapshot's last row with the old values. The begin of the first stay is only known if the record was created
    after the history began; for older records, the time of creation is used. -#}
{% macro stays(snapshot, key, columns) -%}
    {%- set previous, changes = [], [] -%}
    {%- for column in columns -%}
        {%- do previous.append("lag(" ~ column ~ ") over history as previous_" ~ column) -%}
        {%- do changes.append(column ~ " is distinct from previous_" ~ column) -%}
    {%- endfor -%}
    with

    history_rows as (

        select
            *,
            min(dbt_valid_from) over () as history_began_at,
            {{ previous | join(', ') }},
            lag(dbt_valid_from) over history as previous_from
        from {{ snapshot }}
        window history as (partition by {{ key }} order by dbt_valid_from)

    ),

    entries as (

        select
            {{ key }},
            {{ columns | join(', ') }},
            case
                when previous_from is null then coalesce(created_at, dbt_valid_from)
                else greatest(previous_from, least(dbt_valid_from, coalesce(updated_at, dbt_valid_from)))
            end as entered_at,
            previous_from is not null
            or coalesce(created_at >= history_began_at, false) as is_entry_known,
            dbt_valid_from
        from history_rows
        where
            previous_from is null
            or {{ changes | join(' or ') }}

    ),

    stays as (

        select
            *,
            lead(entered_at) over (partition by {{ key }} order by dbt_valid_from) as left_at
        from entries

    )

    select
        {{ key }},
        {{ columns | join(', ') }},
        entered_at,
        left_at,
        left_at is null as is_current,
        is_entry_known
    from stays
{%- endmacro %}


{#- The stays of each object of a type in a value of a property, by HubSpot's own history: when it got the value and
    when the next one. A value that was set again changes nothing, and while there is none there is no stay. -#}
{% macro property_stays(object_type, key, property, column) -%}
    with

    changes as (

        select
            object_id,
            value,
            changed_at,
            lag(changed_at) over history is null or value is distinct from lag(value) over history as is_other
        from {{ ref('stg_hubspot__property_history') }}
        where
            object_type = '{{ object_type }}'
            and property = '{{ property }}'
            and not is_deleted
        window history as (partition by object_id order by changed_at, change_id)

    ),

    stays as (

        select
            object_id,
            value,
            changed_at as entered_at,
            lead(changed_at) over (partition by object_id order by changed_at) as left_at
        from changes
        where is_other

    )

    select
        object_id as {{ key }},
        value as {{ column }},
        entered_at,
        left_at
    from stays
    where value is not null
{%- endmacro %}
