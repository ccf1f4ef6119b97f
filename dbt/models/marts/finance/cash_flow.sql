with

entries as (

    {% for model in ['stg_google_sheets__ledger'] + own_entries() %}
        select
            date_trunc(entry_on, month) as month_on,
            coalesce(category, '(no category)') as category,
            amount
        from {{ ref(model) }}
        where not is_deleted and entry_on is not null and amount is not null
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

months as (

    select
        month_on,
        category,
        sum(greatest(amount, 0)) as income,
        sum(greatest(-amount, 0)) as expense,
        sum(amount) as net,
        count(*) as entries_count
    from entries
    group by month_on, category

),

totals as (

    select
        month_on,
        sum(net) as net
    from months
    group by month_on

),

balances as (

    select
        month_on,
        sum(net) over (order by month_on rows between unbounded preceding and current row) as balance
    from totals

)

select
    months.month_on,
    months.category,
    months.income,
    months.expense,
    months.net,
    months.entries_count,
    balances.balance
from months
inner join balances
    on months.month_on = balances.month_on
