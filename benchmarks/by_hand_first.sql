-- The first load as a person would write it for psql: the file, in the order of its unique key, comes on standard input.
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

begin;

insert into row_sequence (name, next_value) values ('profile', 1 + :records)
on conflict (name) do update set next_value = row_sequence.next_value + :records
returning next_value - :records - 1 as pid_base \gset

insert into profile (
    pid, domain_id, profile_id, account_number, first_name, last_name, email_address, phone_number, birth_date,
    gender_string, address_address1, address_city, address_state, address_postal_code, address_country, attributes,
    created_at, updated_at, expires_at
)
select :pid_base + record, :domain_id, replace(uuidv7()::text, '-', ''), customer_id, first_name, last_name, email,
       phone, birth_date, gender, street, city, state, postal_code, country, json_build_object('tier', tier),
       :moment, :moment, :moment + 14 * 86400000::bigint
from incoming
order by record
on conflict (pid) do nothing;

insert into profile_key (domain_id, name, value, pid)
select :domain_id, key.name, key.value, :pid_base + i.record
from incoming i
cross join lateral (values
    ('_account', lower(trim(i.customer_id))),
    ('_email', lower(trim(i.email))),
    ('_fullName', lower((i.first_name || ' ' || i.last_name) collate "pg_unicode_fast")),
    ('_phone', '+1' || right(regexp_replace(i.phone, '[^0-9]', '', 'g'), 10))
) key (name, value)
order by key.name collate "C", key.value collate "C", i.record
on conflict do nothing;

update domain set profile_count = profile_count + :records where domain_id = :domain_id;

commit;

drop table incoming;
