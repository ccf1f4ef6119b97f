{{ config(severity='warn', tags=['marts']) }}

{% for period in ['daily', 'weekly', 'monthly'] %}
    select
        page_id,
        'date' as field
    from {{ ref('stg_notion__' ~ period ~ '_habits') }}
    where has_uncastable_date and not is_deleted
    union all
    select
        page_id,
        'date, implausibly early' as field
    from {{ ref('stg_notion__' ~ period ~ '_habits') }}
    where day_on < {{ first_day() }} and not is_deleted
    union all
{% endfor %}
select
    page_id,
    property_name as field
from {{ ref('int_habits__unpivoted') }}
where has_uncastable_value and not is_deleted
union all
select
    target_id as page_id,
    'target' as field
from {{ ref('int_habits__targets') }}
where has_uncastable_target
union all
select
    target_id as page_id,
    'active window' as field
from {{ ref('int_habits__targets') }}
where has_uncastable_date
