{# What is added to the project's own marts. No upgrade changes this file: what you write here stays. #}

{# Models whose entries the mart cash_flow counts beside the ledger's. They have the columns entry_on, category, amount
   and is_deleted, in the currency of the ledger: return(['int_money_lover__entries']) #}
{% macro own_entries() %}
    {{ return([]) }}
{% endmacro %}
