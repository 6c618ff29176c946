import { codeOf, type Sql } from "@rialto/database";
import { mergedItems, type StockDecision } from "./state.ts";

/** A decision that reserves. */
export type ReserveDecision = Extract<StockDecision, { kind: "reserve" }>;

const uniqueViolation = "23505";

/**
 * Grants all of these reservations by one statement, which is its own transaction, and returns true; or writes nothing
 * and returns false. It grants where there is nothing to decide: where everything that is asked for fits together,
 * each order would get all of it, in whatever order they were decided.
 *
 * It says no, and leaves the batch to `applyDecisions`, where stock or an account's limit does not suffice for all,
 * where an order has a reservation already, and where the stock of a product was changed between the statement's
 * snapshot and its lock: what the accounts have reserved is read from the snapshot, and each change of a reservation
 * changes the stock of its products too. An order whose reservation is written meanwhile by another process is refused
 * by the primary key, and the statement with it.
 *
 * Stock is locked by product id, then the new reservations are written by order id, as everywhere else.
 */
export async function grantTogether(
  sql: Sql,
  decisions: readonly ReserveDecision[],
  unshippedMax: number,
): Promise<boolean> {
  const asked = decisions.map(({ orderId, items, userId }) => ({
    order_id: orderId,
    items: mergedItems(items),
    user_id: userId,
  }));
  const limit = Number.isFinite(unshippedMax) ? unshippedMax : null;
  try {
    const [row] = await sql.unsafe<{ fits: boolean }[]>(statement, [JSON.stringify(asked), limit], { prepare: true });
    return row?.fits === true;
  } catch (error) {
    if (codeOf(error) === uniqueViolation) return false;
    throw error;
  }
}

/**
 * Rows are looked up by lists of ids and sums are made of unions, so that no plan is bad however many rows there were
 * when it was made (docs/group-commit.md). `xmin` is which transaction wrote the version of a row: the locked one is
 * the newest, that of `before` the one of the snapshot.
 */
const statement = `
with asked as materialized (
  select * from jsonb_to_recordset($1::text::jsonb) as a (order_id uuid, items jsonb, user_id uuid)),
item as materialized (
  select asked.order_id, asked.user_id, i."productId" as product_id, i.quantity
  from asked cross join lateral jsonb_to_recordset(asked.items) as i ("productId" uuid, quantity bigint)),
wanted as materialized (select product_id, sum(quantity) as quantity from item group by product_id),
locked as materialized (
  select product_id, on_hand, reserved, received, shipped, xmin::text as version from stock
  where product_id = any (array(select product_id from wanted)) order by product_id for update),
before as materialized (
  select product_id, xmin::text as version from stock where product_id = any (array(select product_id from wanted))),
held as materialized (
  select r.user_id, i."productId" as product_id, i.quantity
  from reservation r cross join lateral jsonb_to_recordset(r.items) as i ("productId" uuid, quantity bigint)
  where $2::int is not null and r.state = 'RESERVED'
    and r.user_id = any (array(select user_id from asked where user_id is not null))
    and i."productId" in (select product_id from wanted)),
verdict as materialized (
  select not exists (
      select from (select product_id, on_hand - reserved as free, 0 as quantity from locked
        union all select product_id, 0, quantity from wanted) of_product
      group by product_id having sum(free) < sum(quantity))
    and not exists (select from locked where (product_id, version) not in (select product_id, version from before))
    and not exists (select from reservation where order_id = any (array(select order_id from asked)))
    and not exists (
      select from (select user_id, product_id, quantity from item where user_id is not null
        union all select user_id, product_id, quantity from held) of_account
      where (user_id, product_id) in (select user_id, product_id from item)
      group by user_id, product_id having sum(quantity) > $2::int) as fits),
stocked as (
  insert into stock (product_id, on_hand, reserved, received, shipped)
  select product_id, sum(on_hand)::int, sum(reserved)::int, sum(received)::bigint, sum(shipped)::bigint
  from (select product_id, on_hand, reserved, received, shipped from locked
    union all select product_id, 0, quantity, 0, 0 from wanted) after
  where (select fits from verdict) group by product_id
  on conflict (product_id) do update set reserved = excluded.reserved),
fresh as (
  insert into reservation (order_id, state, items, user_id)
  select order_id, 'RESERVED', items, user_id from asked where (select fits from verdict) order by order_id)
select fits from verdict`;
