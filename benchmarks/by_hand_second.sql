-- A later load as a person would write it for psql, with updates: the file comes on standard input.
-- The tables are those of an openprofiles store, in a domain named shop.
\set ON_ERROR_STOP on
\set QUIET on
set work_mem = '256MB';

select domain_id from domain where name = 'shop' \gset

create unlogged table incoming (
    record bigint generated always as identity,
    customer_id text, first_name text, last_name text, email text, phone text, birth_date text, gender text,
    street text, city text, state text, postal_code text, country text, tier text
);
\copy incoming (customer_id, first_name, last_name, email, phone, birth_date, gender, street, city, state, postal_code, country, tier) from pstdin with (format csv, header true)
analyze incoming;
select count(*) as records, (extract(epoch from now()) * 1000)::bigint as moment from incoming \gset

-- Who of them is there already, in the order of the store, and what each was found by.
create unlogged table matched as
select k.pid, i.*
from incoming i
join profile_key k on k.domain_id = :domain_id and k.name = '_account' and k.value = lower(trim(i.customer_id))
order by k.pid;
create unique index on matched (record);
analyze matched;

create unlogged table key_before as
select key.name collate "C" as name, key.value collate "C" as value, p.pid
from matched m
join profile p on p.pid = m.pid
cross join lateral (values
    ('_account', lower(trim(p.account_number))),
    ('_email', lower(trim(p.email_address))),
    ('_fullName', lower((p.first_name || ' ' || p.last_name) collate "pg_unicode_fast")),
    ('_phone', '+1' || right(regexp_replace(p.phone_number, '[^0-9]', '', 'g'), 10))
) key (name, value);
analyze key_before;

begin;

insert into row_sequence (name, next_value) values ('profile', 1 + :records)
on conflict (name) do update set next_value = row_sequence.next_value + :records
returning next_value - :records - 1 as pid_base \gset

update profile p
set account_number = coalesce(m.customer_id, p.account_number),
    first_name = coalesce(m.first_name, p.first_name),
    last_name = coalesce(m.last_name, p.last_name),
    email_address = coalesce(m.email, p.email_address),
    phone_number = coalesce(m.phone, p.phone_number),
    birth_date = coalesce(m.birth_date, p.birth_date),
    gender_string = coalesce(m.gender, p.gender_string),
    address_address1 = coalesce(m.street, p.address_address1),
    address_city = coalesce(m.city, p.address_city),
    address_state = coalesce(m.state, p.address_state),
    address_postal_code = coalesce(m.postal_code, p.address_postal_code),
    address_country = coalesce(m.country, p.address_country),
    attributes = case when m.tier is null then p.attributes
                      else (p.attributes::jsonb || jsonb_build_object('tier', m.tier))::json end,
    revision = p.revision + 1,
    updated_at = :moment,
    expires_at = greatest(p.expires_at, :moment + 14 * 86400000::bigint)
from matched m
where p.pid = m.pid;

insert into profile (
    pid, domain_id, profile_id, account_number, first_name, last_name, email_address, phone_number, birth_date,
    gender_string, address_address1, address_city, address_state, address_postal_code, address_country, attributes,
    created_at, updated_at, expires_at
)
select :pid_base + i.record, :domain_id, replace(uuidv7()::text, '-', ''), i.customer_id, i.first_name, i.last_name,
       i.email, i.phone, i.birth_date, i.gender, i.street, i.city, i.state, i.postal_code, i.country,
       json_build_object('tier', i.tier), :moment, :moment, :moment + 14 * 86400000::bigint
from incoming i
where not exists (select from matched m where m.record = i.record)
order by i.record
on conflict (pid) do nothing;

-- What everybody of the file is found by from now on.
create unlogged table key_after as
select key.name collate "C" as name, key.value collate "C" as value, coalesce(m.pid, :pid_base + i.record) as pid
from incoming i
left join matched m on m.record = i.record
cross join lateral (values
    ('_account', lower(trim(i.customer_id))),
    ('_email', lower(trim(i.email))),
    ('_fullName', lower((i.first_name || ' ' || i.last_name) collate "pg_unicode_fast")),
    ('_phone', '+1' || right(regexp_replace(i.phone, '[^0-9]', '', 'g'), 10))
) key (name, value);
analyze key_after;

delete from profile_key k
using (select * from key_before except select * from key_after) gone
where k.domain_id = :domain_id and k.name = gone.name and k.value = gone.value and k.pid = gone.pid;

insert into profile_key (domain_id, name, value, pid)
select :domain_id, name, value, pid
from (select * from key_after except all select * from key_before) fresh
order by name, value, pid
on conflict do nothing;

update domain
set profile_count = profile_count + :records - (select count(*) from matched)
where domain_id = :domain_id;

commit;

drop table incoming, matched, key_before, key_after;
