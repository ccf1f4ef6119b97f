with

members as (

    select
        keys.person_id,
        records.*,
        contacts.company_name as associated_company,
        if(
            contacts.company_name is null,
            records.companies,
            array_concat([contacts.company_name], records.companies)
        ) as every_company,
        contacts.owner,
        -- The best record for the name: one with a complete name is preferred, then the latest change.
        row_number() over (
            partition by keys.person_id
            order by
                records.full_name_key is not null desc,
                records.has_given_name desc,
                records.full_name is not null desc,
                records.updated_at desc,
                records.record_id asc
        ) as place
    from {{ ref('int_people__records') }} as records
    inner join {{ ref('person_keys') }} as keys
        on records.record_id = keys.record_id
    left join {{ ref('contacts') }} as contacts
        on
            records.source = 'hubspot'
            and records.source_record_id = contacts.contact_id
    where records.is_living

),

emails as (

    select
        person_id,
        array_agg(email order by place asc, position asc, email asc) as emails
    from (
        select
            members.person_id,
            email,
            min(members.place) as place,
            min(position) as position
        from members
        cross join unnest(members.emails) as email with offset as position
        group by members.person_id, email
    ) as ranked
    group by person_id

),

phones as (

    select
        person_id,
        array_agg(phone order by place asc, phone asc) as phones
    from (
        select
            members.person_id,
            phone,
            min(members.place) as place
        from members
        cross join unnest(members.phones) as phone
        group by members.person_id, phone
    ) as ranked
    group by person_id

),

-- An associated company in HubSpot is preferred to a typed one.
companies as (

    select
        person_id,
        array_agg(company_name order by place asc, position asc, company_name asc) as companies
    from (
        select
            members.person_id,
            min(company_name) as company_name,
            min(if(company_name = members.associated_company, 0, members.place)) as place,
            min(position) as position
        from members
        cross join unnest(members.every_company) as company_name with offset as position
        group by members.person_id, lower(company_name)
    ) as ranked
    group by person_id

),

-- A date with a year is preferred to one without.
birthdays as (

    select
        person_id,
        birth_year,
        birth_month,
        birth_day
    from members
    where birth_month is not null or birth_year is not null
    qualify
        row_number() over (
            partition by person_id
            order by
                birth_day is not null and birth_month is not null desc,
                birth_year is not null desc,
                place asc
        ) = 1

),

touches as (

    select
        person_id,
        max(occurred_at) as last_touch_at,
        array_agg(type order by occurred_at desc, engagement_id asc limit 1)[safe_offset(0)] as last_touch_type
    from {{ ref('int_people__participations') }}
    where is_past_touch
    group by person_id

),

-- Keys of people who turned out to be this one, and keys of others from whom this one was parted.
former as (

    select
        person_id,
        array_agg(distinct former_id order by former_id) as former_person_ids
    from (
        select
            person_id,
            {{ founded_person_id('record_id') }} as former_id
        from {{ ref('person_keys') }}
        where founded_at is not null
        union all
        select
            person_id,
            parted_from as former_id
        from {{ ref('person_keys') }}
        where parted_from is not null
    ) as earlier
    where former_id != person_id
    group by person_id

),

collected as (

    select
        person_id,
        max(if(place = 1, full_name, null)) as full_name,
        array_agg(job_title ignore nulls order by place)[safe_offset(0)] as job_title,
        array_agg(owner ignore nulls order by place)[safe_offset(0)] as owner,
        array_agg(distinct source order by source) as sources,
        array_agg(if(source = 'hubspot', source_record_id, null) ignore nulls order by source_record_id)
            as hubspot_contact_ids,
        array_agg(if(source = 'google', source_record_id, null) ignore nulls order by source_record_id)
            as google_contact_ids,
        count(*) as records_count,
        max(updated_at) as updated_at
    from members
    group by person_id

)

select
    collected.person_id,
    collected.full_name,
    emails.emails[safe_offset(0)] as email,
    coalesce(emails.emails, cast([] as array<string>)) as emails,
    coalesce(phones.phones, cast([] as array<string>)) as phones,
    companies.companies[safe_offset(0)] as company_name,
    coalesce(companies.companies, cast([] as array<string>)) as companies,
    collected.job_title,
    collected.owner,
    birthdays.birth_year,
    birthdays.birth_month,
    birthdays.birth_day,
    touches.last_touch_at,
    touches.last_touch_type,
    collected.sources,
    collected.hubspot_contact_ids,
    collected.google_contact_ids,
    collected.records_count,
    coalesce(former.former_person_ids, cast([] as array<string>)) as former_person_ids,
    collected.updated_at
from collected
left join emails
    on collected.person_id = emails.person_id
left join phones
    on collected.person_id = phones.person_id
left join companies
    on collected.person_id = companies.person_id
left join birthdays
    on collected.person_id = birthdays.person_id
left join touches
    on collected.person_id = touches.person_id
left join former
    on collected.person_id = former.person_id
