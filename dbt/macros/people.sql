{#- Normalises names and e-mail addresses for comparisons, and joins records of the same person. -#}


{#- A name without titles in front. Titles that are also names (Ing, Mag) are only removed if they have a full stop. -#}
{% macro without_address(name) -%}
    {%- set sure = "mr|mrs|ms|miss|mx|herr|frau|sr|sra|srta|dr|dra|prof|professor|dipl" -%}
    {%- set stopped = "ing|mag|med|rer|nat|phil|jur|dent|vet" -%}
    {%- set ends = "(?:[\\s\\p{Z}]+|\\.[\\s\\p{Z}-]*|$)" -%}
    {%- set titles = "(?:dipl[.\\s-]+ing|" ~ sure ~ ")" ~ ends
        ~ "|(?:" ~ stopped ~ ")\\.[\\s\\p{Z}-]*" -%}
    regexp_replace(normalize({{ name }}, nfkc), r'(?i)^[\s\p{Z}]*(?:{{ titles }})+', '')
{%- endmacro %}


{#- A name without degrees at its end; only degrees that are never names are removed. -#}
{% macro without_degrees(name) -%}
    {%- set degrees = "ph\\.?\\s?d|m\\.?sc|b\\.?sc|ll\\.?[bm]|esq" -%}
    regexp_replace({{ name }}, r'(?i)(?:[\s\p{Z},]+(?:{{ degrees }})\.?)+[\s\p{Z}]*$', '')
{%- endmacro %}


{#- A name without titles at its end. Some titles are also names (Ma, Ba, Md, Mba). These are only removed after a
    comma, with full stops, or in capitals if the rest of the name is not in capitals. Enough words must remain for
    a name: two if `is_whole` (first and family name), otherwise one. -#}
{% macro without_titles(name, is_whole) -%}
    {%- set typed = "[\\s\\p{Z}]*,[\\s\\p{Z}]*(?i:m\\.?\\s?d|m\\.?b\\.?a|m\\.?a|b\\.?a|mag|ing|dr|prof)\\.?"
        ~ "|[\\s\\p{Z}]+(?i:m\\.\\s?d|m\\.b\\.a|m\\.\\s?a|b\\.\\s?a)\\." -%}
    {%- set capitals = "[\\s\\p{Z}]+(?:MD|MBA|MA|BA)" -%}
    {%- set bare = "regexp_replace(" ~ name ~ ", if(regexp_contains(" ~ name ~ ", r'\\p{Ll}'), r'(?:" ~ typed ~ "|"
        ~ capitals ~ ")+$', r'(?:" ~ typed ~ ")+$'), '')" -%}
    if(
        regexp_contains({{ bare }}, if({{ is_whole }}, r'\p{L}[^\s\p{Z},]*[\s\p{Z},]+[^\s\p{Z},]*\p{L}', r'\p{L}')),
        {{ bare }},
        {{ name }}
    )
{%- endmacro %}


{#- A name as words in lower case, without punctuation, and without accents on Latin, Greek and Cyrillic letters. In
    other scripts a mark is a vowel or makes another letter, so it stays. For an umlaut, the letter that replaces it
    in other spellings follows as a capital (`müller` becomes `muEller`); the macro `spelled` removes or keeps it.
    Null if nothing is left. -#}
{% macro name_words(name) -%}
    {%- set folded = "normalize_and_casefold(regexp_replace(" ~ name ~ ", r\"['’`´ʼʻ]\", ''), nfkd)" -%}
    {%- set seen = "regexp_replace(" ~ folded
        ~ ", r'[\\p{Cf}\\x{34F}\\x{FE00}-\\x{FE0F}\\x{E0100}-\\x{E01EF}]', '')" -%}
    {%- set dotted = "regexp_replace(" ~ seen ~ ", r'([aou])\\x{308}', r'\\1E')" -%}
    {%- set umlauts = "regexp_replace(" ~ dotted ~ ", r'a\\x{30A}', 'aA')" -%}
    {%- set letters = "replace(replace(replace(translate(" ~ umlauts
        ~ ", 'łđıðþ', 'ldidt'), 'ø', 'oE'), 'æ', 'ae'), 'œ', 'oe')" -%}
    {%- set words = "regexp_replace(" ~ letters ~ ", r'[^\\p{L}\\p{M}\\p{N}]+', ' ')" -%}
    {%- set accents = "(^|[\\p{Latin}\\p{Greek}\\p{Cyrillic}]|[^\\p{L}\\p{M}])\\p{M}+" -%}
    nullif(trim(normalize(regexp_replace({{ words }}, r'{{ accents }}', r'\1'), nfc)), '')
{%- endmacro %}


{#- The words of name_words in one of two spellings: without or with the letter that replaces an umlaut. So Müller
    equals Muller and also Mueller, but Muller does not equal Mueller. -#}
{% macro spelled(words, transcribes) -%}
    {{ "lower(" ~ words ~ ")" if transcribes else "regexp_replace(" ~ words ~ ", r'[A-Z]', '')" }}
{%- endmacro %}


{#- The words of a suffix without academic titles, which are never part of a name there. -#}
{% macro suffix_without_titles(words) -%}
    {%- set titles = "dr|prof|professor|ing|dipl|mag|phd|md|msc|mba|ba|bsc|ma|esq" -%}
    nullif(trim(regexp_replace(regexp_replace({{ words }}, r'\b({{ titles }})\b', ''), r' +', ' ')), '')
{%- endmacro %}


{#- The e-mail address in a typed text, in lower case, such as in `Ada <ADA@example.com>` or `mailto:ada@example.com`.
    Null if there is none. -#}
{% macro email_address(email) -%}
    {%- set typed = "coalesce(regexp_extract(" ~ email ~ ", r'<([^<>]+)>'), " ~ email ~ ")" -%}
    regexp_extract(
        regexp_replace(
            regexp_replace(lower({{ typed }}), r'^[\s\p{Z}\p{C}]*(?:mailto:)?[\s\p{Z}\p{C}]*|[.\s\p{Z}\p{C}]+$', ''),
            r'[\s\p{Z}\p{C}]*([@.])[\s\p{Z}\p{C}]*',
            r'\1'
        ),
        r'^[^@\s]+@[^@\s]+$'
    )
{%- endmacro %}


{#- An address from email_address for comparisons: without a +tag. Gmail ignores dots
    (https://support.google.com/mail/answer/7436150), and has two domains. Null if nothing is left before the @: the
    address `+4930111@fax.example.net` of a gateway has only what looks like a tag, and is not compared. -#}
{% macro email_key(address) -%}
    {%- set mailbox = "regexp_extract(" ~ address ~ ", r'^([^@+]+)')" -%}
    {%- set domain = "regexp_extract(" ~ address ~ ", r'@(.*)$')" -%}
    if(
        {{ domain }} in ('gmail.com', 'googlemail.com'),
        concat(nullif(replace({{ mailbox }}, '.', ''), ''), '@gmail.com'),
        concat({{ mailbox }}, '@', {{ domain }})
    )
{%- endmacro %}


{#- Whether the name of a mailbox belongs to a role, such as info or sales. Several people may read such a mailbox. -#}
{% macro is_role_mailbox(email) -%}
    {%- set roles = [
        'info', 'office', 'contact', 'kontakt', 'contacto', 'contato', 'hello', 'hallo', 'hola', 'mail', 'email',
        'post', 'team', 'sales', 'verkauf', 'vertrieb', 'ventas', 'support', 'service', 'help', 'admin',
        'administration', 'billing', 'account', 'accounts', 'accounting', 'finance', 'invoice', 'invoices',
        'rechnung', 'rechnungen', 'buchhaltung', 'hr', 'people', 'jobs', 'career', 'careers', 'recruiting', 'press',
        'presse', 'marketing', 'media', 'news', 'newsletter', 'noreply', 'no-reply', 'webmaster', 'postmaster',
        'reception', 'empfang', 'sekretariat', 'secretary', 'secretariat', 'praxis', 'shop', 'store', 'order',
        'orders', 'bestellung', 'booking', 'bookings', 'reservation', 'reservations', 'events', 'ceo', 'cfo', 'cto',
        'coo', 'management', 'director', 'geschaeftsfuehrung', 'family', 'familie', 'all', 'everyone', 'staff',
    ] -%}
    regexp_contains({{ email }}, r'^\.*({{ roles | join("|") }})[0-9]*\.*@')
{%- endmacro %}


{#- The key of a person, made from the first record of that person. -#}
{% macro founded_person_id(record_id) -%}
    concat('person_', substr(to_hex(sha256({{ record_id }})), 1, 16))
{%- endmacro %}


{#- Common table expressions `{prefix}_0` to `{prefix}_{hops}`: for each record, the smallest `label` that is
    reachable within so many links.

    `links` is a relation with record_a and record_b; it must contain both directions, and each record with itself.
    `labels` is a relation with record_id and label. Recursive queries in BigQuery only support UNION ALL and would
    follow every path, so the number of hops is limited. The test assert_people_are_connected fails if it is too
    small. -#}
{% macro propagated(prefix, links, labels, hops=10) -%}
    {{ prefix }}_0 as (

        select
            record_id,
            label
        from {{ labels }}

    )
    {%- for hop in range(1, hops + 1) -%}
        ,

        {{ prefix }}_{{ hop }} as (

            select
                links.record_a as record_id,
                min(reached.label) as label
            from {{ links }} as links
            inner join {{ prefix }}_{{ hop - 1 }} as reached
                on links.record_b = reached.record_id
            group by links.record_a

        )
    {%- endfor %}
{%- endmacro %}


{#- A query that assigns each record of int_people__records to a component, from sufficient links.

    First, records with a first name are joined along the links. Then a record without a first name, such as one
    with only an e-mail address, is joined with the person it is linked with, unless there are several such people. -#}
{% macro components(links) -%}
    with

    records as (

        select
            record_id,
            has_given_name
        from {{ ref('int_people__records') }}

    ),

    chosen as (

        select
            record_a,
            record_b,
            is_attaching
        from {{ links }}
        where is_join

    ),

    firm as (

        select
            record_a,
            record_b
        from chosen
        where not is_attaching
        union distinct
        select
            record_b as record_a,
            record_a as record_b
        from chosen
        where not is_attaching
        union distinct
        select
            record_id as record_a,
            record_id as record_b
        from records

    ),

    labels as (

        select
            record_id,
            record_id as label
        from records

    ),

    {{ propagated('firm_within', 'firm', 'labels') }},

    attached as (

        select
            nameless.label,
            min(named.label) as to_label
        from chosen
        inner join firm_within_10 as nameless
            on chosen.record_a = nameless.record_id
        inner join firm_within_10 as named
            on chosen.record_b = named.record_id
        where chosen.is_attaching
        group by nameless.label
        having count(distinct named.label) = 1

    )

    select
        firm_within_10.record_id,
        coalesce(attached.to_label, firm_within_10.label) as component
    from firm_within_10
    left join attached
        on firm_within_10.label = attached.label
{%- endmacro %}


{#- The year of birth if a living person may have it, otherwise null. Other years stand for "unknown": Apple writes
    1604, spreadsheets and databases write their first year (1, 1900, 1904), and some write their last. -#}
{% macro birth_year(year) -%}
    {%- set this_year = "extract(year from " ~ today() ~ ")" -%}
    if({{ year }} between {{ this_year }} - 120 and {{ this_year }}, {{ year }}, null)
{%- endmacro %}


{#- The date of the birthday (birth_month, birth_day) in a given year. -#}
{% macro birthday_in(year) -%}
    {%- set first = "date(" ~ year ~ ", birth_month, 1)" -%}
    date_add({{ first }}, interval least(birth_day, extract(day from last_day({{ first }}))) - 1 day)
{%- endmacro %}
