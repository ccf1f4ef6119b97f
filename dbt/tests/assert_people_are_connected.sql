-- Linked records that are still two people: the macro `components` needs more hops.
select
    links.record_a,
    links.record_b,
    links.evidence
from {{ ref('int_people__links') }} as links
inner join {{ ref('int_people__connected') }} as one
    on links.record_a = one.record_id
inner join {{ ref('int_people__connected') }} as other
    on links.record_b = other.record_id
where
    links.is_join
    and not links.is_attaching
    and one.component != other.component
