{%- set suffixes = 'jr|jnr|jun|junior|sr|snr|sen|senior|filho|hijo|fils|ii|iii|iv' -%}
{%- set particles = 'van|von|vom|der|den|de|da|do|dos|das|del|della|di|la|le|ten|ter|te|zu|zum|zur|af|bin|al|el' -%}
{%- set last_name = '(?:(?:' ~ particles ~ ') )*[^ ]+(?: (?:' ~ suffixes ~ '))?' -%}

with

-- Google also returns the names of linked profiles; the contact's own name is the one that the owner typed.
google_named as (

    select
        *,
        array(
            select each_name
            from unnest(names) as each_name with offset as place
            order by each_name.source_type = 'CONTACT' desc, each_name.is_primary desc, place asc
        )[safe_offset(0)] as own_name,
        array(
            select each_birthday
            from unnest(birthdays) as each_birthday with offset as place
            order by each_birthday.day is null asc, {{ birth_year('each_birthday.year') }} is null asc, place asc
        )[safe_offset(0)] as birthday
    from {{ ref('stg_google__contacts') }}

),

typed as (

    select
        concat('hubspot:', contact_id) as record_id,
        'hubspot' as source,
        contact_id as source_record_id,
        concat('hubspot:', merged_into_id) as merged_into_id,
        not is_deleted as is_living,
        updated_at,
        first_name as given_name,
        last_name as family_name,
        cast(null as string) as suffix,
        {{ full_name('first_name', 'last_name') }} as full_name,
        array(
            select {{ email_address('each_email') }}
            from unnest(array_concat([email], additional_emails)) as each_email with offset as place
            where {{ email_address('each_email') }} is not null
            order by place asc
        ) as emails,
        [phone_e164, mobile_phone_e164] as phones,
        if(company_as_typed is null, cast([] as array<string>), [company_as_typed]) as companies,
        job_title,
        {{ birth_year('extract(year from born_on)') }} as birth_year,
        extract(month from born_on) as birth_month,
        extract(day from born_on) as birth_day
    from {{ ref('stg_hubspot__contacts') }}
    union all
    select
        concat('google:', contact_id) as record_id,
        'google' as source,
        contact_id as source_record_id,
        concat('google:', merged_into_id) as merged_into_id,
        not is_deleted as is_living,
        updated_at,
        own_name.given_name,
        coalesce(own_name.family_name, if(own_name.given_name is null, own_name.display_name, null)) as family_name,
        own_name.honorific_suffix as suffix,
        coalesce(
            {{ full_name('own_name.given_name', 'own_name.family_name') }},
            nullif(trim(own_name.display_name), '')
        ) as full_name,
        array(
            select {{ email_address('each_email.value') }}
            from unnest(email_addresses) as each_email with offset as place
            where {{ email_address('each_email.value') }} is not null
            order by each_email.is_primary desc, place asc
        ) as emails,
        array(
            select each_phone.e164
            from unnest(phone_numbers) as each_phone with offset as place
            where each_phone.e164 is not null
            order by each_phone.is_primary desc, place asc
        ) as phones,
        array(
            select trim(each_organization.name)
            from unnest(organizations) as each_organization with offset as place
            where trim(each_organization.name) != ''
            order by each_organization.is_current desc, each_organization.is_primary desc, place asc
        ) as companies,
        array(
            select each_organization.title
            from unnest(organizations) as each_organization with offset as place
            where each_organization.title is not null
            order by each_organization.is_current desc, each_organization.is_primary desc, place asc
        )[safe_offset(0)] as job_title,
        {{ birth_year('birthday.year') }} as birth_year,
        birthday.month as birth_month,
        birthday.day as birth_day
    from google_named

),

-- A record counts as long as it exists or was merged into another one.
present as (

    select * from typed
    where is_living or merged_into_id is not null

),

-- A first name that is only a title does not count; a family name is never only a title.
addressed as (

    select
        * except (given_name, family_name),
        {{ without_address('given_name') }} as given_name,
        if(
            regexp_contains({{ without_address('family_name') }}, r'\p{L}'),
            {{ without_address('family_name') }},
            family_name
        ) as family_name
    from present

),

graduated as (

    select
        * except (given_name, family_name),
        if(regexp_contains(given_name, r'[\p{L}\p{N}]'), {{ without_degrees('given_name') }}, null) as given_name,
        if(regexp_contains(family_name, r'[\p{L}\p{N}]'), {{ without_degrees('family_name') }}, null) as family_name
    from addressed

),

untitled as (

    select
        * except (given_name, family_name),
        {{ without_titles('given_name', 'family_name is null') }} as given_name,
        {{ without_titles('family_name', 'given_name is null') }} as family_name
    from graduated

),

worded as (

    select
        *,
        {{ name_words('given_name') }} as given_words,
        {{ name_words('family_name') }} as family_words,
        {{ name_words("replace(suffix, '.', '')") }} as suffix_words,
        regexp_extract(coalesce(given_name, family_name), r'^([^,]+),\s*[^,]+$') as family_before,
        {{ without_address("regexp_extract(coalesce(given_name, family_name), r'^[^,]+,([^,]+)$')") }} as given_behind
    from untitled

),

-- A complete name in one field: `Anna van der Berg` or `Berg, Anna`. A single family name may begin with a particle.
split_words as (

    select
        *,
        case
            when given_words is not null and family_words is not null then given_words
            -- A degree in `Berg, MD`, and a first name in `Rahman, Md` and `RAHMAN, MD`.
            when trim(given_behind) in ('MD', 'MBA', 'MA', 'BA') and regexp_contains(family_before, r'\p{Ll}') then null
            when family_before is not null then {{ name_words('given_behind') }}
            when is_whole_name then regexp_extract(any_words, r'^(.*?) {{ last_name }}$')
            else given_words
        end as given_part,
        case
            when given_words is not null and family_words is not null then family_words
            when family_before is not null then {{ name_words('family_before') }}
            when is_whole_name then regexp_extract(any_words, r'^.*? ({{ last_name }})$')
            else family_words
        end as family_part
    from (
        select
            *,
            coalesce(given_words, family_words) as any_words,
            strpos(coalesce(given_words, family_words), ' ') > 0
            and (given_words is not null or not regexp_contains(family_words, r'^(?:{{ particles }}) '))
                as is_whole_name
        from worded
    ) as whole

),

keyed as (

    select
        * except (suffix),
        -- Mohammed is so common that it is abbreviated, so it does not distinguish people.
        regexp_extract(regexp_replace(given_part, r'^(?:md|mohd) ', ''), r'^[^ ]+') as given_key,
        nullif(
            replace(regexp_replace(family_part, r' (?:{{ suffixes }})$', ''), ' ', ''),
            ''
        ) as family_key,
        coalesce(
            {{ suffix_without_titles('suffix_words') }},
            regexp_extract(family_part, r' ({{ suffixes }})$'),
            if(family_words is not null, regexp_extract(given_part, r' ({{ suffixes }})$'), null)
        ) as suffix
    from split_words

),

-- Father and son may differ only in the suffix, so unknown suffixes are kept, too.
suffixed as (

    select
        * except (suffix),
        case
            when suffix in ('jr', 'jnr', 'jun', 'junior', 'filho', 'hijo', 'fils') then 'jr'
            when suffix in ('sr', 'snr', 'sen', 'senior', 'pai', 'padre', 'pere', 'per') then 'sr'
            else suffix
        end as suffix_key
    from keyed

),

-- In an alphabet, a single letter is an initial; in other scripts, a single character can be a complete name.
given as (

    select
        *,
        coalesce(
            length({{ spelled('given_key', false) }}) > 1
            or regexp_contains(given_key, r'[\p{Han}\p{Hangul}\p{Hiragana}\p{Katakana}]'),
            false
        ) as has_given_name
    from suffixed

),

spelled as (

    select
        *,
        {% for transcribes in (false, true) %}
            {%- set given_key, family_key = spelled('given_key', transcribes), spelled('family_key', transcribes) -%}
            struct(
                {{ given_key }} as given_key,
                {{ family_key }} as family_key,
                -- Compared in any order, since given and family names are often exchanged.
                if(
                    has_given_name,
                    concat(
                        least({{ given_key }}, {{ family_key }}),
                        ' ',
                        greatest({{ given_key }}, {{ family_key }}),
                        coalesce(concat(' ', suffix_key), '')
                    ),
                    null
                ) as full_name_key,
                -- Several first or family names may be exchanged as well.
                if(
                    given_key is not null and family_key is not null,
                    concat(
                        array_to_string(
                            array(
                                select word
                                from
                                    unnest(
                                        split({{ spelled("concat(given_part, ' ', family_part)", transcribes) }}, ' ')
                                    ) as word
                                order by word
                            ),
                            ' '
                        ),
                        coalesce(concat(' ', suffix_key), '')
                    ),
                    null
                ) as sorted_name
            ) as {{ 'transcribed' if transcribes else 'plain' }},
        {% endfor %}
        regexp_contains(concat(coalesce(given_part, ''), coalesce(family_part, '')), r'[A-Z]') as has_umlaut
    from given

)

select
    record_id,
    source,
    source_record_id,
    merged_into_id,
    is_living,
    updated_at,
    full_name,
    plain.given_key,
    plain.family_key,
    suffix_key,
    has_given_name,
    plain.full_name_key,
    plain.sorted_name,
    has_umlaut,
    [plain, transcribed] as spellings,
    emails,
    array(
        select distinct {{ email_key('each_email') }}
        from unnest(emails) as each_email
        where {{ email_key('each_email') }} is not null
    ) as email_keys,
    array(
        select distinct each_phone
        from unnest(phones) as each_phone
        where each_phone != ''
    ) as phones,
    companies,
    job_title,
    birth_year,
    birth_month,
    birth_day
from spelled
