select
    date as entry_on,
    category,
    amount,
    is_deleted
from {{ ref('stg_files__money_lover') }}
