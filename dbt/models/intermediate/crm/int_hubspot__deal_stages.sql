{{ stays(ref('snap_hubspot__deals'), 'deal_id', ['pipeline_id', 'stage_id']) }}
