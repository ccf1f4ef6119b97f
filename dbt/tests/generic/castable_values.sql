{#- Finds values that cannot be cast. They are null from staging on, so a person must be alerted. -#}
{% test castable_values(model) %}

select
    '{{ model.identifier | replace("stg_", "") | replace("__", ".") }}' as entity,
    property,
    count(*) as row_count
from {{ model }}
cross join unnest(uncastable_columns) as property
where not is_deleted
group by property

{% endtest %}
