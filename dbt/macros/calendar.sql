{#- The owner's calendar: time zone, first day of the week, today. -#}

{% macro timezone() -%}
    '{{ env_var('REPORTING_TIMEZONE', 'UTC') }}'
{%- endmacro %}


{% macro today() -%}
    {%- set fixed = env_var('REPORTING_TODAY', '') -%}
    {%- if fixed -%}
        date '{{ fixed }}'
    {%- else -%}
        current_date({{ timezone() }})
    {%- endif -%}
{%- endmacro %}


{#- The present time; if REPORTING_TODAY is set, the last microsecond of that day. -#}
{% macro now() -%}
    {%- set fixed = env_var('REPORTING_TODAY', '') -%}
    {%- if fixed -%}
        timestamp_sub(timestamp(date_add(date '{{ fixed }}', interval 1 day), {{ timezone() }}), interval 1 microsecond)
    {%- else -%}
        current_timestamp()
    {%- endif -%}
{%- endmacro %}


{#- The date of a time in a time zone (default: the owner's). At the ends of the calendar the date in that zone may be
    outside of the range of DATE, so the date in UTC is used there. -#}
{% macro day_of(time, time_zone=none) -%}
    if(
        {{ time }} < timestamp '0001-01-02 00:00:00+00' or {{ time }} >= timestamp '9999-12-31 00:00:00+00',
        date({{ time }}),
        date({{ time }}, {{ time_zone or timezone() }})
    )
{%- endmacro %}


{#- Rows before this day are ignored. A calendar begins with its first row, so a mistyped year (0026, 1926) or the
    zero day of a program (1899-12-30, 1970) would make it span centuries. -#}
{% macro first_day() -%}
    date '1980-01-01'
{%- endmacro %}


{% macro first_weekday() -%}
    {%- set weekday = env_var('REPORTING_FIRST_WEEKDAY', 'monday') | lower -%}
    {%- set weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] -%}
    {%- if weekday not in weekdays -%}
        {{ exceptions.raise_compiler_error('REPORTING_FIRST_WEEKDAY is ' ~ weekday ~ ', not a weekday') }}
    {%- endif -%}
    {{ weekday }}
{%- endmacro %}


{#- The first day of the period (day, week or month) that contains a day. -#}
{% macro period_start(day, period) -%}
    case {{ period }}
        when 'weekly' then date_trunc({{ day }}, week({{ first_weekday() }}))
        when 'monthly' then date_trunc({{ day }}, month)
        else {{ day }}
    end
{%- endmacro %}


{#- Whether a text is like a pattern of the owner's, in which `*` stands for any text. Every text is like an empty
    pattern. -#}
{% macro is_like(text, pattern) -%}
    {%- set escaped = "regexp_replace(" ~ pattern ~ ", r'([\\\\.+?()|{}\\[\\]^$])', r'\\\\\\1')" -%}
    (
        coalesce(trim({{ pattern }}), '') = ''
        or regexp_contains({{ text }}, concat('(?is)^', replace({{ escaped }}, '*', '.*'), '$'))
    )
{%- endmacro %}


{#- Common table expressions that end with `covered`: for each `scope` and day, how many hours the spans of `relation`
    cover. It has the columns of `scope`, start_at and end_at. A time that several of them cover counts once, and a span
    over midnight counts on each day with its part. -#}
{% macro covered_hours(relation, scope) -%}
    pieces as (

        select
            {% for each in scope %}spans.{{ each }},{% endfor %}
            day_on,
            greatest(spans.start_at, timestamp(day_on, {{ timezone() }})) as from_at,
            least(spans.end_at, timestamp(date_add(day_on, interval 1 day), {{ timezone() }})) as to_at
        from {{ relation }} as spans
        cross join
            unnest(
                generate_date_array(
                    {{ day_of('spans.start_at') }},
                    {{ day_of('timestamp_sub(spans.end_at, interval 1 microsecond)') }}
                )
            ) as day_on
        where day_on between {{ first_day() }} and {{ today() }}

    ),

    ordered as (

        select
            *,
            max(to_at) over (
                partition by {{ (scope + ['day_on']) | join(', ') }}
                order by from_at, to_at rows between unbounded preceding and 1 preceding
            ) as covered_to
        from pieces

    ),

    covered as (

        select
            {% for each in scope %}{{ each }},{% endfor %}
            day_on,
            count(*) as spans_count,
            sum(
                greatest(timestamp_diff(to_at, greatest(from_at, coalesce(covered_to, from_at)), second), 0)
            ) / 3600 as hours
        from ordered
        group by {{ (scope + ['day_on']) | join(', ') }}

    )
{%- endmacro %}
