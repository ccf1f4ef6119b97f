{#- How names, e-mail addresses and people are compared. -#}


{#- A name as words in lower case: no accents, no punctuation, no academic or courtesy titles. Transcribed umlauts are
    as the letters without dots, on both sides of a comparison. -#}
{% macro name_words(name) -%}
    {%- set folded = "regexp_replace(normalize_and_casefold(" ~ name ~ ", nfkd), r'\\p{M}', '')" -%}
    {%- set plain = "translate(" ~ folded ~ ", 'øłđıæœð', 'oldiaod')" -%}
    {%- set joined = "regexp_replace(" ~ plain ~ ", r\"['’`´]\", '')" -%}
    {%- set words = "regexp_replace(" ~ joined ~ ", r'[^\\p{L}\\p{N}]+', ' ')" -%}
    {%- set umlauts = "regexp_replace(" ~ words ~ ", r'([aou])e', r'\\1')" -%}
    {%- set titles = "mr|mrs|ms|miss|herr|frau|sra|dr|prof|professor|ing|dipl|mag|phd|md|msc|mba|ba|bsc|ma|esq" -%}
    {%- set bare = "regexp_replace(" ~ umlauts ~ ", r'\\b(" ~ titles ~ ")\\b', '')" -%}
    nullif(trim(regexp_replace({{ bare }}, r'\s+', ' ')), '')
{%- endmacro %}


{#- The address in what was typed for one, in lower case: `Ada <ADA@example.com>` and `mailto:ada@example.com` have one.
    Null for what has none. -#}
{% macro email_address(email) -%}
    {%- set typed = "coalesce(regexp_extract(" ~ email ~ ", r'<([^<>]+)>'), " ~ email ~ ")" -%}
    regexp_extract(
        regexp_replace(
            regexp_replace(lower({{ typed }}), r'^[\s\p{Z}\p{C}]*(?:mailto:)?[\s\p{Z}\p{C}]*|[\s\p{Z}\p{C}]+$', ''),
            r'[\s\p{Z}\p{C}]*([@.])[\s\p{Z}\p{C}]*',
            r'\1'
        ),
        r'^[^@\s]+@[^@\s]+$'
    )
{%- endmacro %}


{#- An address of email_address as it is compared: without a +tag. Gmail knows no dots
    (https://support.google.com/mail/answer/7436150), and has two names. -#}
{% macro email_key(address) -%}
    {%- set mailbox = "regexp_extract(" ~ address ~ ", r'^([^@+]+)')" -%}
    {%- set domain = "regexp_extract(" ~ address ~ ", r'@(.*)$')" -%}
    if(
        {{ domain }} in ('gmail.com', 'googlemail.com'),
        concat(replace({{ mailbox }}, '.', ''), '@gmail.com'),
        concat(coalesce({{ mailbox }}, ''), '@', {{ domain }})
    )
{%- endmacro %}


{#- Whether a mailbox is a role's by its name: whoever has the role reads it. -#}
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
    regexp_contains({{ email }}, r'^({{ roles | join("|") }})[0-9]*@')
{%- endmacro %}


{#- The key of the person that a record founded. -#}
{% macro founded_person_id(record_id) -%}
    concat('person_', substr(to_hex(sha256({{ record_id }})), 1, 16))
{%- endmacro %}


{#- Common table expressions `{prefix}_0` to `{prefix}_{hops}`: each record's least `label` within so many links.

    `links` is a relation of record_a and record_b in both directions and of each record with itself; `labels` one of
    record_id and label. Recursive queries of BigQuery know UNION ALL alone, and keep every path; so the hops are
    bounded, and the test assert_people_are_connected says when they do not suffice. -#}
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


{#- The query that gives each record of int_people__records its component, from links that hold.

    First whoever has a first name joins whoever the links name; then a record without one, such as an e-mail
    address alone, joins the people it is linked with if they are one, and nobody if they are several. -#}
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


{#- The birthday of birth_month and birth_day in a year. -#}
{% macro birthday_in(year) -%}
    {%- set first = "date(" ~ year ~ ", birth_month, 1)" -%}
    date_add({{ first }}, interval least(birth_day, extract(day from last_day({{ first }}))) - 1 day)
{%- endmacro %}
