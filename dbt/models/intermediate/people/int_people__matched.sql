{#- If links would join two records that an override separates, only overrides and merges in the source join these
    records with others. -#}
{%- set kept -%}
    (
        select links.*
        from {{ ref('int_people__links') }} as links
        left join (
            select distinct apart_id
            from {{ ref('people_overrides') }} as overrides
            inner join {{ ref('int_people__connected') }} as one
                on overrides.record_a = one.record_id
            inner join {{ ref('int_people__connected') }} as other
                on
                    overrides.record_b = other.record_id
                    and one.component = other.component
            cross join unnest([overrides.record_a, overrides.record_b]) as apart_id
            where not overrides.is_same
        ) as apart
            on apart.apart_id in (links.record_a, links.record_b)
        where apart.apart_id is null or links.evidence in ('merge', 'override')
    )
{%- endset -%}

{{ components(kept) }}
