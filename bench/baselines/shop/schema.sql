-- The shop of the baselines. Every id is a UUID; amounts are in cents.

create table customer (
  id uuid primary key,
  email text not null unique,
  name text not null
);

create table product (
  id uuid primary key,
  name text not null,
  description text not null,
  category text not null,
  price bigint not null check (price > 0),
  currency text not null,
  active boolean not null
);

create table stock (
  product_id uuid primary key references product (id),
  on_hand integer not null,
  reserved integer not null,
  check (0 <= reserved and reserved <= on_hand)
);

create table orders (
  id uuid primary key,
  customer_id uuid not null references customer (id),
  status text not null,
  total bigint not null,
  currency text not null,
  payment_method text not null,
  create_time timestamptz not null default now(),
  update_time timestamptz not null default now()
);
create index orders_customer on orders (customer_id, id);
create index orders_pending on orders (id) where status = 'PENDING';

create table order_item (
  order_id uuid not null references orders (id),
  product_id uuid not null,
  name text not null,
  unit_price bigint not null,
  quantity integer not null,
  primary key (order_id, product_id)
);

create table idempotency (
  customer_id uuid not null,
  key text not null,
  order_id uuid not null,
  create_time timestamptz not null default now(),
  primary key (customer_id, key)
);

create table payment (
  order_id uuid primary key,
  amount bigint not null,
  status text not null,
  create_time timestamptz not null default now()
);

create table outbox (
  id bigint generated always as identity primary key,
  order_id uuid not null,
  topic text not null
);

create table mail (
  order_id uuid primary key,
  recipient text not null,
  subject text not null,
  body text not null,
  create_time timestamptz not null default now()
);
