import type { Database, Sql, Transaction } from "@rialto/database";
import { type Product, type SearchWord, searchTextOf } from "./state.ts";

/** Only what is given is filtered by. */
export interface ProductFilter {
  /** What the product's text must have, all of it. */
  readonly words: readonly SearchWord[];
  readonly category: string | undefined;
  readonly activeOnly: boolean;
}

/** What is asked of the catalog. */
export interface ProductStore {
  byIds(ids: readonly string[]): Promise<readonly Product[]>;
  /** Newest first, from after the product with that id. */
  list(filter: ProductFilter, page: ProductPage): Promise<readonly Product[]>;
}

export interface ProductPage {
  readonly after: string | undefined;
  readonly limit: number;
}

export function createProductStore({ sql }: Pick<Database, "sql">): ProductStore {
  return {
    async byIds(ids) {
      const rows = await sql<ProductRow[]>`select ${columns(sql)} from product where id = any (${[...ids]}::uuid[])`;
      return rows.map(productOf);
    },
    list: (filter, page) => listProducts(sql, filter, page),
  };
}

/** The products of a filter, newest first. */
export async function listProducts(sql: Sql, filter: ProductFilter, page: ProductPage): Promise<readonly Product[]> {
  return (await listStatement(sql, filter, page)).map(productOf);
}

/** The statement of a list. Each word is a condition of its own: the index knows no others. */
export function listStatement(sql: Sql, { words, category, activeOnly }: ProductFilter, { after, limit }: ProductPage) {
  const conditions = words.reduce(
    (all, { kind, pattern }) =>
      kind === "contains" ? sql`${all} and search_text like ${pattern}` : sql`${all} and search_text ~ ${pattern}`,
    sql`true`,
  );
  return sql<ProductRow[]>`
    select ${columns(sql)} from product
    where ${conditions}
      ${category === undefined ? sql`` : sql`and category = ${category}`}
      ${activeOnly ? sql`and active` : sql``}
      ${after === undefined ? sql`` : sql`and id < ${after}`}
    order by id desc limit ${limit}`;
}

/** Writes a new product, with no stock yet. */
export async function insertProduct(tx: Transaction, p: Product): Promise<void> {
  await tx`
    insert into product (id, name, description, category, price, currency, active, search_text, create_time, update_time)
    values (${p.id}, ${p.name}, ${p.description}, ${p.category}, ${p.price}, ${p.currency}, ${p.active}, ${searchTextOf(p)}, ${p.createTime}, ${p.updateTime})`;
  await tx`insert into stock (product_id, on_hand, reserved, received, shipped) values (${p.id}, 0, 0, 0, 0)`;
}

/** Reads a product and holds it until the transaction ends. */
export async function lockProduct(tx: Transaction, id: string): Promise<Product | undefined> {
  const [row] = await tx<ProductRow[]>`select ${columns(tx)} from product where id = ${id} for update`;
  return row && productOf(row);
}

/** Writes what has changed of a locked product. */
export async function updateProduct(tx: Transaction, p: Product): Promise<void> {
  await tx`
    update product set name = ${p.name}, description = ${p.description}, category = ${p.category}, price = ${p.price},
      currency = ${p.currency}, active = ${p.active}, search_text = ${searchTextOf(p)}, update_time = ${p.updateTime} where id = ${p.id}`;
}

/** Writes down who changed what is on hand, and why. */
export async function insertAdjustment(
  tx: Transaction,
  a: {
    readonly id: string;
    readonly productId: string;
    readonly delta: number;
    readonly reason: string;
    readonly actor: string;
    readonly time: Date;
  },
): Promise<void> {
  await tx`
    insert into adjustment (id, product_id, delta, reason, actor, time)
    values (${a.id}, ${a.productId}, ${a.delta}, ${a.reason}, ${a.actor}, ${a.time})`;
}

interface ProductRow {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly category: string;
  readonly price: bigint;
  readonly currency: string;
  readonly active: boolean;
  readonly create_time: Date;
  readonly update_time: Date;
}

/** What a product is made of. */
function columns(sql: Sql | Transaction) {
  return sql`id, name, description, category, price, currency, active, create_time, update_time`;
}

function productOf(row: ProductRow): Product {
  const { create_time: createTime, update_time: updateTime, ...rest } = row;
  return { ...rest, createTime, updateTime };
}
