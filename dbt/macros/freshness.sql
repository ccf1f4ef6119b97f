{#- The rules for freshness: what counts as a complete read of a source, and how old the last one may be. Python has
    the same rules in reporting.ingest.freshness; a test compares them. -#}


{#- Whether a row of the sync log is a complete run, which read everything up to its cursor. Runs over a window of the
    past do not count, since they set no cursor, and neither do replays, since they do not ask the source. -#}
{% macro is_complete_run() -%}
    is_complete and cursor_at is not null and refresh != 'replay'
{%- endmacro %}


{#- The `loaded_at_query` of a source: the time of the last complete run of an entity, even if that found no change. -#}
{% macro last_complete_run(source_node) -%}
    select max(committed_at)
    from {{ source('ops', 'sync_runs') }}
    where source = '{{ source_node.source_name }}' and entity = '{{ source_node.name }}' and {{ is_complete_run() }}
{%- endmacro %}


{#- Whether a time is more than `days` days of 24 hours ago. -#}
{% macro is_older_than(time, days) -%}
    {{ time }} < timestamp_sub({{ now() }}, interval {{ 24 * days }} hour)
{%- endmacro %}
