{{ property_stays('deals', 'deal_id', 'dealstage', 'stage_id') }}
