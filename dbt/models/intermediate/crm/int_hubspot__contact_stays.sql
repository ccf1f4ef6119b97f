{{ property_stays('contacts', 'contact_id', 'lifecyclestage', 'lifecycle_stage') }}
