{#- Up to so many records with one identifier every pair of them is listed; of more, each with the first. -#}
{%- set pairs_up_to = 12 -%}
{#- A mailbox of more records is nobody's own, and a record of more addresses a mailing list, which is like nobody. -#}
{%- set own_addresses = 20 -%}
{%- set crowd = 50 -%}

with

records as (

    select
        *,
        if(has_given_name, concat(given_key, coalesce(concat(' ', suffix_key), '')), null) as person_name_key
    from {{ ref('int_people__records') }}

),

identified as (

    select
        records.*,
        'email' as evidence,
        email_key as value,
        {{ is_role_mailbox('email_key') }} as is_role
    from records
    cross join unnest(email_keys) as email_key
    where is_living and array_length(email_keys) <= {{ own_addresses }}
    union all
    select
        records.*,
        'phone' as evidence,
        phone as value,
        false as is_role
    from records
    cross join unnest(phones) as phone
    where is_living
    union all
    select
        *,
        'name' as evidence,
        full_name_key as value,
        false as is_role
    from records
    where is_living and full_name_key is not null

),

-- What those who share an identifier are called.
shared as (

    select
        evidence,
        value,
        count(*) as record_count,
        count(distinct person_name_key) as names_count,
        array_agg(
            if(
                has_given_name,
                struct(
                    person_name_key as person_name_key,
                    given_key as given_key,
                    family_key as family_key,
                    sorted_name as sorted_name
                ),
                null
            ) ignore nulls
        ) as named,
        min(record_id) as first_id,
        min(if(has_given_name, record_id, null)) as first_named_id,
        logical_or(is_role) as is_role,
        replace({{ name_words("regexp_extract(value, r'^[^@]+')") }}, ' ', '') as mailbox_name
    from identified
    group by evidence, value
    having count(*) > 1

),

-- The one first name in a mailbox, if there is one: everybody has it, or has the same names in another order.
agreed as (

    select
        *,
        (
            select min(one.person_name_key)
            from unnest(named) as one
            where
                evidence = 'email'
                and record_count <= {{ crowd }}
                and not exists (
                    select 1
                    from unnest(named) as other
                    where
                        other.person_name_key != one.person_name_key
                        and not exists (
                            select 1
                            from unnest(named) as same
                            where
                                same.sorted_name = other.sorted_name
                                and same.person_name_key = one.person_name_key
                        )
                )
        ) as person_name_key
    from shared

),

-- A mailbox is a person's when everybody in it has one first name, and one family name, or the address itself has the
-- first name or an initial and a family name: then the family name has changed.
judged as (

    select
        * except (person_name_key),
        evidence = 'email'
        and not is_role
        and (names_count = 0 or person_name_key is not null)
        and (
            (
                select count(distinct one.family_key)
                from unnest(named) as one
                where one.person_name_key = agreed.person_name_key
            ) <= 1
            or exists (
                select 1
                from unnest(named) as one
                where
                    one.person_name_key = agreed.person_name_key
                    and (
                        (length(one.given_key) > 2 and strpos(mailbox_name, one.given_key) > 0)
                        or mailbox_name in (
                            concat(substr(one.given_key, 1, 1), one.family_key),
                            concat(one.family_key, substr(one.given_key, 1, 1))
                        )
                    )
            )
        ) as is_personal
    from agreed

),

members as (

    select
        identified.*,
        judged.record_count,
        judged.names_count,
        judged.first_id,
        judged.first_named_id,
        judged.is_personal,
        case
            when identified.evidence = 'phone' then 'shared phone'
            when identified.evidence = 'name' then 'same name'
            when judged.is_role then 'shared mailbox'
            when judged.is_personal then 'incomplete name'
            when judged.names_count > 1 then 'one e-mail, several names'
            else 'another family name'
        end as doubt,
        -- Without a name, or with an initial or a family name of those who have one.
        not identified.has_given_name
        and (
            (identified.given_key is null and identified.family_key is null)
            or exists (
                select 1
                from unnest(judged.named) as one
                where
                    coalesce(substr(one.given_key, 1, 1) = identified.given_key, identified.given_key is null)
                    and coalesce(one.family_key = identified.family_key, identified.family_key is null)
            )
        ) as fits_name,
        if(
            identified.full_name_key is not null,
            min(identified.record_id) over (
                partition by identified.evidence, identified.value, identified.full_name_key
            ),
            null
        ) as first_of_name_id,
        if(
            identified.sorted_name is not null and identified.has_given_name,
            min(identified.record_id) over (
                partition by identified.evidence, identified.value, identified.sorted_name, identified.has_given_name
            ),
            null
        ) as first_of_words_id,
        if(
            not identified.has_given_name,
            min(identified.record_id) over (
                partition by
                    identified.evidence,
                    identified.value,
                    identified.has_given_name,
                    identified.given_key,
                    identified.family_key
            ),
            null
        ) as first_of_nameless_id
    from identified
    inner join judged
        on
            identified.evidence = judged.evidence
            and identified.value = judged.value

),

joins as (

    -- One identifier and one full name.
    select
        record_id as record_a,
        first_of_name_id as record_b,
        evidence,
        value,
        false as is_attaching
    from members
    where evidence != 'name' and first_of_name_id != record_id
    union distinct
    select
        record_id as record_a,
        first_of_words_id as record_b,
        evidence,
        value,
        false as is_attaching
    from members
    where evidence != 'name' and first_of_words_id != record_id
    union distinct
    -- One mailbox of one person.
    select
        record_id as record_a,
        first_named_id as record_b,
        evidence,
        value,
        false as is_attaching
    from members
    where is_personal and has_given_name and first_named_id != record_id
    union distinct
    select
        record_id as record_a,
        first_of_nameless_id as record_b,
        evidence,
        value,
        false as is_attaching
    from members
    where is_personal and first_of_nameless_id != record_id
    union distinct
    select
        record_id as record_a,
        first_named_id as record_b,
        evidence,
        value,
        true as is_attaching
    from members
    where is_personal and first_named_id is not null and fits_name
    union distinct
    -- What the sources themselves say, and the owner.
    select
        records.record_id as record_a,
        winners.record_id as record_b,
        'merge' as evidence,
        cast(null as string) as value,
        false as is_attaching
    from records
    inner join records as winners
        on records.merged_into_id = winners.record_id
    union distinct
    select
        overrides.record_a,
        overrides.record_b,
        'override' as evidence,
        overrides.note as value,
        false as is_attaching
    from {{ ref('people_overrides') }} as overrides
    inner join records as left_records
        on overrides.record_a = left_records.record_id
    inner join records as right_records
        on overrides.record_b = right_records.record_id
    where overrides.is_same

),

-- What somebody who knows them may want to look at. A shared telephone alone says nothing of two people whose names
-- are known and differ, nor a name that many have.
doubts as (

    select
        one.record_id as record_a,
        other.record_id as record_b,
        one.evidence,
        one.value,
        one.doubt
    from members as one
    inner join members as other
        on
            one.evidence = other.evidence
            and one.value = other.value
            and one.record_id < other.record_id
            and (one.record_count <= {{ pairs_up_to }} or one.record_id = one.first_id)
    where
        case one.evidence
            when 'email' then true
            when 'phone'
                then
                    coalesce(one.given_key = other.given_key, true)
                    or substr(one.given_key, 1, 1) in (other.given_key)
                    or substr(other.given_key, 1, 1) in (one.given_key)
            else one.record_count <= {{ pairs_up_to }}
        end

)

select
    record_a,
    record_b,
    evidence,
    value,
    true as is_join,
    is_attaching,
    cast(null as string) as doubt
from joins
union all
select
    record_a,
    record_b,
    evidence,
    value,
    false as is_join,
    false as is_attaching,
    doubt
from doubts
