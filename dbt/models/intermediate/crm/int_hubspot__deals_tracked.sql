select
    deal_id,
    deal_name,
    pipeline_id,
    stage_id,
    amount,
    close_at,
    owner_id,
    is_deleted,
    created_at,
    updated_at
from {{ ref('stg_hubspot__deals') }}
