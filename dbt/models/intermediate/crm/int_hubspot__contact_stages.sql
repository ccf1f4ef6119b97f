{{ stays(ref('snap_hubspot__contacts'), 'contact_id', ['lifecycle_stage']) }}
