with

source as (

    select * from {{ source('hubspot', 'pipelines') }}

),

unnested as (

    select
        source.id as pipeline_id,
        stage.id as stage_id,
        stage.label,
        stage.display_order,
        stage.is_closed,
        stage.probability,
        stage.archived,
        source.object_type,
        source._merged_into_id,
        source._deleted_at,
        source._deleted_reason,
        source._extracted_at
    from source
    cross join unnest(source.stages) as stage

),

renamed as (

    select
        -- ids
        pipeline_id,
        stage_id,
        _merged_into_id as merged_into_id,

        -- text
        coalesce(object_type, 'deals') as object_type,
        {{ hubspot_value('label') }} as stage,

        -- numbers
        {{ hubspot_value('display_order', 'int64') }} as display_order,
        {{ hubspot_value('probability', 'numeric') }} as probability,

        -- state
        -- If a stage does not say whether it is closed, its probability decides, as in HubSpot.
        coalesce(
            {{ hubspot_value('is_closed', 'bool') }},
            {{ hubspot_value('probability', 'numeric') }} in (0, 1),
            false
        ) as is_closed,
        coalesce({{ hubspot_value('archived', 'bool') }}, false) as is_archived,
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ hubspot_uncastable({
            'display_order': 'int64',
            'probability': 'numeric',
            'is_closed': 'bool',
            'archived': 'bool'
        }) }} as uncastable_columns,

        -- times
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from unnested

)

select * from renamed
