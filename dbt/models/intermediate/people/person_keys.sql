{#- Keys must survive every rebuild, since reports and notes refer to them and they cannot be made again. The table is
    created in advance, so that the first build does not differ from others. Tables of earlier versions lack `parted_from`. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='record_id',
        full_refresh=false,
        schema='snapshots',
        pre_hook=[
            "create table if not exists {{ this }} "
            ~ "(record_id string, person_id string, joined_at timestamp, founded_at timestamp, parted_from string)",
            "alter table {{ this }} add column if not exists parted_from string",
        ],
    )
}}

with

members as (

    select
        record_id,
        component
    from {{ ref('int_people__matched') }}

),

previous as (

    select
        record_id,
        person_id,
        joined_at,
        founded_at,
        parted_from
    from {{ this }}

),

-- If the records of a person are separated, the key stays with the record that founded it, or else with the oldest one.
held as (

    select
        members.component,
        previous.person_id,
        founders.founded_at,
        true as is_held
    from previous
    inner join members
        on previous.record_id = members.record_id
    inner join previous as founders
        on
            previous.person_id = {{ founded_person_id('founders.record_id') }}
            and founders.founded_at is not null
    qualify
        row_number() over (
            partition by previous.person_id
            order by previous.record_id = founders.record_id desc, previous.joined_at asc, previous.record_id asc
        ) = 1

),

-- A key that had been replaced by another is used again if the record that founded it is separated.
founded as (

    select
        members.component,
        {{ founded_person_id('previous.record_id') }} as person_id,
        previous.founded_at,
        false as is_held
    from previous
    inner join members
        on previous.record_id = members.record_id
    where previous.founded_at is not null

),

-- If several people turn out to be one, the oldest key stays.
chosen as (

    select
        component,
        person_id
    from (
        select * from held
        union all
        select * from founded
    ) as claims
    qualify row_number() over (partition by component order by is_held desc, founded_at asc, person_id asc) = 1

),

keys as (

    select
        members.component,
        coalesce(min(chosen.person_id), {{ founded_person_id('min(members.record_id)') }}) as person_id,
        if(min(chosen.person_id) is null, min(members.record_id), null) as founder_id
    from members
    left join chosen
        on members.component = chosen.component
    group by members.component

),

-- The present key for records that no longer exist, but shared a key with others.
heirs as (

    select
        held.person_id,
        keys.person_id as heir_id
    from held
    inner join keys
        on held.component = keys.component

),

assigned as (

    select
        members.record_id,
        keys.person_id,
        previous.person_id as former_id,
        previous.joined_at,
        previous.founded_at,
        previous.parted_from,
        keys.founder_id
    from members
    inner join keys
        on members.component = keys.component
    left join previous
        on members.record_id = previous.record_id
    union all
    select
        previous.record_id,
        coalesce(heirs.heir_id, previous.person_id) as person_id,
        previous.person_id as former_id,
        previous.joined_at,
        previous.founded_at,
        previous.parted_from,
        cast(null as string) as founder_id
    from previous
    left join members
        on previous.record_id = members.record_id
    left join heirs
        on previous.person_id = heirs.person_id
    where members.record_id is null

)

select
    record_id,
    person_id,
    if(person_id = former_id, joined_at, current_timestamp()) as joined_at,
    coalesce(founded_at, if(record_id = founder_id, current_timestamp(), null)) as founded_at,
    -- A key that somebody else goes on with. The key of those who turned out to be one person ends.
    if(
        person_id != former_id and assigned.former_id in (select keys.person_id from keys),
        former_id,
        nullif(parted_from, person_id)
    ) as parted_from
from assigned
