-- Overrides that contradict each other or a merge in the source.
select
    overrides.record_a,
    overrides.record_b,
    overrides.is_same
from {{ ref('people_overrides') }} as overrides
inner join {{ ref('int_people__matched') }} as one
    on overrides.record_a = one.record_id
inner join {{ ref('int_people__matched') }} as other
    on overrides.record_b = other.record_id
where overrides.is_same != (one.component = other.component)
