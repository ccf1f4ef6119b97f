{{ config(tags=['marts']) }}

-- A winner that was merged itself: a circle, or a chain with more hops than are followed.
select
    merges.type,
    merges.loser_id,
    merges.winner_id
from {{ ref('int_hubspot__merges') }} as merges
inner join {{ ref('int_hubspot__merges') }} as others
    on
        merges.type = others.type
        and merges.winner_id = others.loser_id
