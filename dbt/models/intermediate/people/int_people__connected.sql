{{ components(ref('int_people__links')) }}
