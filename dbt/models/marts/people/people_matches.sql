with

members as (

    select
        keys.person_id,
        records.record_id,
        records.full_name
    from {{ ref('int_people__records') }} as records
    inner join {{ ref('person_keys') }} as keys
        on records.record_id = keys.record_id

),

links as (

    select
        least(record_a, record_b) as record_id,
        greatest(record_a, record_b) as other_record_id,
        evidence,
        coalesce(value, '') as value,
        logical_or(is_join) as is_join,
        max(doubt) as doubt
    from {{ ref('int_people__links') }}
    group by record_id, other_record_id, evidence, value

),

apart as (

    select
        least(record_a, record_b) as record_id,
        greatest(record_a, record_b) as other_record_id
    from {{ ref('people_overrides') }}
    where not is_same
    group by record_id, other_record_id

)

select
    one.person_id,
    links.record_id,
    one.full_name,
    other.person_id as other_person_id,
    links.other_record_id,
    other.full_name as other_full_name,
    links.evidence,
    links.value,
    one.person_id = other.person_id as is_match,
    case
        when one.person_id = other.person_id then null
        when apart.record_id is not null then 'kept apart by an override'
        when links.is_join and links.doubt is null then 'kept apart by an override'
        when links.is_join then 'linked with several people'
        else links.doubt
    end as doubt
from links
inner join members as one
    on links.record_id = one.record_id
inner join members as other
    on links.other_record_id = other.record_id
left join apart
    on
        links.record_id = apart.record_id
        and links.other_record_id = apart.other_record_id
where links.is_join or one.person_id != other.person_id
