DROP MACRO bq.main._parse_json_exact;

CREATE MACRO _parse_json_exact(s) AS CASE
    WHEN NOT regexp_matches(s, '[0-9]{19}') THEN json(s)
    WHEN NOT _json_exact(s)
        THEN _raise('Invalid input to PARSE_JSON: number cannot be stored without loss of precision')
    ELSE json(s)
END;
