{#- If at most so many records share an identifier, every pair is listed; if there are more, only each with the
    first. -#}
{%- set pairs_up_to = 12 -%}
{#- A mailbox with more records than this is not personal. A record with more addresses than this is a mailing list. -#}
{%- set own_addresses = 20 -%}
{%- set crowd = 50 -%}

with

-- Every name in both spellings of umlauts: Müller is Muller in one, and Mueller in the other.
records as (

    select
        records.* except (given_key, family_key, full_name_key, sorted_name, spellings),
        records.full_name_key as plain_name_key,
        spelled.given_key,
        spelled.family_key,
        spelled.full_name_key,
        spelled.sorted_name,
        spelling,
        if(
            records.has_given_name,
            concat(spelled.given_key, coalesce(concat(' ', records.suffix_key), '')),
            null
        ) as person_name_key
    from {{ ref('int_people__records') }} as records
    cross join unnest(records.spellings) as spelled with offset as spelling

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

-- The names of records that share an identifier.
shared as (

    select
        evidence,
        value,
        spelling,
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
        replace({{ spelled(name_words("regexp_extract(value, r'^[^@]+')"), false) }}, ' ', '') as mailbox_name
    from identified
    group by evidence, value, spelling
    having count(*) > 1 and (spelling = 0 or logical_or(has_umlaut))

),

-- The first name in a mailbox, if there is only one: all records have it, or have the same names in another order.
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

-- A mailbox belongs to one person if all its records have the same first name, and either the same family name, or an
-- address that contains the first name or an initial, and a family name: then the person's family name has changed.
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
        -- Records without a name, or with only an initial or a family name that matches the others.
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
                partition by identified.evidence, identified.value, identified.spelling, identified.full_name_key
            ),
            null
        ) as first_of_name_id,
        if(
            identified.sorted_name is not null and identified.has_given_name,
            min(identified.record_id) over (
                partition by
                    identified.evidence,
                    identified.value,
                    identified.spelling,
                    identified.sorted_name,
                    identified.has_given_name
            ),
            null
        ) as first_of_words_id,
        if(
            not identified.has_given_name,
            min(identified.record_id) over (
                partition by
                    identified.evidence,
                    identified.value,
                    identified.spelling,
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
            and identified.spelling = judged.spelling

),

joins as (

    -- The same identifier and the same full name.
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
    -- The same mailbox, which belongs to one person.
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
    -- Merges in the sources, and the owner's overrides.
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

-- Pairs that the owner may want to check. Two people with known and different names are left out if they only share a
-- telephone, and so are people who only share a common name.
doubts as (

    select distinct
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
            and one.spelling = other.spelling
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
            else
                one.record_count <= {{ pairs_up_to }}
                and (one.spelling = 0 or one.plain_name_key != other.plain_name_key)
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
