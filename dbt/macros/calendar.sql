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
