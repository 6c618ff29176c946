\set first random(0, 99)
\set quantity random(1, 3)
\set customer random(0, 19)
with line as (
  select p.id, p.name, p.price, p.currency, :quantity::int as quantity
  from product p
  where p.id in (
    ('00000000-0000-7000-8000-' || lpad((:first)::text, 12, '0'))::uuid,
    ('00000000-0000-7000-8000-' || lpad(((:first + 37) % 100)::text, 12, '0'))::uuid)
), placed as (
  insert into orders (id, customer_id, status, total, currency, payment_method)
  select gen_random_uuid(), ('00000000-0000-7000-9000-' || lpad((:customer)::text, 12, '0'))::uuid, 'PENDING',
    sum(price * quantity), min(currency), 'pm_test_approved'
  from line
  returning id, customer_id
), claimed as (
  insert into idempotency (customer_id, key, order_id) select customer_id, gen_random_uuid()::text, id from placed
), items as (
  insert into order_item (order_id, product_id, name, unit_price, quantity)
  select placed.id, line.id, line.name, line.price, line.quantity from placed, line
), event as (
  insert into outbox (order_id, topic) select id, 'order-placed' from placed
)
select id from placed;
