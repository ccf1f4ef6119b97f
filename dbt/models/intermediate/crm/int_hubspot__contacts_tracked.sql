select
    contact_id,
    lifecycle_stage,
    created_at,
    updated_at
from {{ ref('stg_hubspot__contacts') }}
