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


{#- This instant; with REPORTING_TODAY the last one of that day. -#}
{% macro now() -%}
    {%- set fixed = env_var('REPORTING_TODAY', '') -%}
    {%- if fixed -%}
        timestamp_sub(timestamp(date_add(date '{{ fixed }}', interval 1 day), {{ timezone() }}), interval 1 microsecond)
    {%- else -%}
        current_timestamp()
    {%- endif -%}
{%- endmacro %}


{% macro first_weekday() -%}
    {%- set weekday = env_var('REPORTING_FIRST_WEEKDAY', 'monday') | lower -%}
    {%- set weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] -%}
    {%- if weekday not in weekdays -%}
        {{ exceptions.raise_compiler_error('REPORTING_FIRST_WEEKDAY is ' ~ weekday ~ ', not a weekday') }}
    {%- endif -%}
    {{ weekday }}
{%- endmacro %}


{#- The first day of the period that a day falls in. -#}
{% macro period_start(day, period) -%}
    case {{ period }}
        when 'weekly' then date_trunc({{ day }}, week({{ first_weekday() }}))
        when 'monthly' then date_trunc({{ day }}, month)
        else {{ day }}
    end
{%- endmacro %}
