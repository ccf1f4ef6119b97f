with

source as (

    select * from {{ source('hubspot', 'contacts') }}

),

renamed as (

    select
        -- ids
        id as contact_id,
        {{ hubspot_value('hubspot_owner_id') }} as owner_id,
        _merged_into_id as merged_into_id,
        {{ hubspot_list('hs_merged_object_ids') }} as merged_ids,

        -- text
        lower({{ hubspot_value('email') }}) as email,
        {{ hubspot_list('hs_additional_emails', 'lower') }} as additional_emails,
        {{ hubspot_value('firstname') }} as first_name,
        {{ hubspot_value('lastname') }} as last_name,
        {{ hubspot_value('phone') }} as phone,
        {{ hubspot_value('mobilephone') }} as mobile_phone,
        {{ hubspot_value('company') }} as company_as_typed,
        {{ hubspot_value('jobtitle') }} as job_title,
        {{ hubspot_value('city') }} as city,
        {{ hubspot_value('country') }} as country,
        {{ hubspot_value('lifecyclestage') }} as lifecycle_stage,
        {{ hubspot_value('hs_lead_status') }} as lead_status,

        -- dates
        {{ hubspot_value('date_of_birth', 'date') }} as born_on,

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,
        {{ hubspot_uncastable({'date_of_birth': 'date'}) }} as uncastable_columns,

        -- times
        created_at,
        updated_at,
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
