with

source as (

    select * from {{ source('hubspot', 'companies') }}

),

renamed as (

    select
        -- ids
        id as company_id,
        {{ hubspot_value('hubspot_owner_id') }} as owner_id,
        _merged_into_id as merged_into_id,
        {{ hubspot_list('hs_merged_object_ids') }} as merged_ids,

        -- text
        {{ hubspot_value('name') }} as company_name,
        lower({{ hubspot_value('domain') }}) as domain,
        {{ hubspot_value('industry') }} as industry,
        {{ hubspot_value('city') }} as city,
        {{ hubspot_value('country') }} as country,
        {{ hubspot_value('phone') }} as phone,
        {{ hubspot_value('lifecyclestage') }} as lifecycle_stage,

        -- numbers
        {{ hubspot_value('numberofemployees', 'int64') }} as number_of_employees,
        {{ hubspot_value('annualrevenue', 'numeric') }} as annual_revenue,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ hubspot_uncastable({'numberofemployees': 'int64', 'annualrevenue': 'numeric'}) }} as uncastable_columns,

        -- times
        created_at,
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
