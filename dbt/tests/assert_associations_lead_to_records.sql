{{ config(severity='warn', tags=['marts']) }}

select
    from_type,
    to_type,
    count(*) as row_count,
    min(to_id) as example
from {{ ref('int_hubspot__associations') }}
where is_to_missing
group by from_type, to_type
