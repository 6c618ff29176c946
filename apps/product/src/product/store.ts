import type { CancelSignal } from "@rialto/async";
import { createRowLoader, type Database, newestFirst, type Sql, type Transaction } from "@rialto/database";
import { type Product, type SearchWord, searchTextOf } from "./state.ts";

/** Undefined fields do not filter. */
export interface ProductFilter {
  /** Words that the product's text must all contain. */
  readonly words: readonly SearchWord[];
  readonly category: string | undefined;
  readonly activeOnly: boolean;
}

/** Reads the catalog. */
export interface ProductStore {
  /** Leaves out those that do not exist. Products that are asked for at the same moment travel in one statement. */
  byIds(ids: readonly string[], o?: { readonly signal?: CancelSignal }): Promise<readonly Product[]>;
  /** Newest first, after the product with the id `after`. */
  list(filter: ProductFilter, page: ProductPage): Promise<readonly Product[]>;
}

export interface ProductPage {
  readonly after: string | undefined;
  readonly limit: number;
}

/** Opens the store. */
export function createProductStore({
  sql,
  freezesShared: freezes,
}: Pick<Database, "sql" | "freezesShared">): ProductStore {
  const rows = createRowLoader({ read: (ids) => readProducts(sql, ids), idOf: ({ id }) => id, freezes });
  return {
    async byIds(ids, o) {
      const found = await Promise.all(ids.map((id) => rows.load(id, o)));
      return found.filter((row) => row !== undefined).map(productOf);
    },
    list: (filter, page) => listProducts(sql, filter, page),
  };
}

function readProducts(sql: Sql, ids: readonly string[]): Promise<readonly ProductRow[]> {
  return sql<ProductRow[]>`select ${columns(sql)} from product where id = any (${[...ids]}::uuid[])`;
}

/** Lists the products of a filter, newest first. */
export async function listProducts(sql: Sql, filter: ProductFilter, page: ProductPage): Promise<readonly Product[]> {
  return (await listStatement(sql, filter, page)).map(productOf);
}

/** The statement of a list. */
export function listStatement(sql: Sql, filter: ProductFilter, page: ProductPage) {
  return filter.words.length === 0 ? catalogStatement(sql, filter, page) : searchStatement(sql, filter, page);
}

function catalogStatement(sql: Sql, { category, activeOnly }: ProductFilter, { after, limit }: ProductPage) {
  const { where, order } = newestFirst(sql, [["category", "text", category]], after);
  return sql<ProductRow[]>`
    select ${columns(sql)} from product
    where ${where} ${activeOnly ? sql`and active` : sql``}
    order by ${order} limit ${limit}`;
}

/** Each word is a separate condition, which is what the index supports. What it finds is sorted. */
function searchStatement(sql: Sql, { words, category, activeOnly }: ProductFilter, { after, limit }: ProductPage) {
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

/** Inserts a product without stock. */
export async function insertProduct(tx: Transaction, p: Product): Promise<void> {
  await tx`
    insert into product (id, name, description, category, price, currency, active, search_text, create_time, update_time)
    values (${p.id}, ${p.name}, ${p.description}, ${p.category}, ${p.price}, ${p.currency}, ${p.active}, ${searchTextOf(p)}, ${p.createTime}, ${p.updateTime})`;
  await tx`insert into stock (product_id, on_hand, reserved, received, shipped) values (${p.id}, 0, 0, 0, 0)`;
}

/** Reads a product and locks it until the transaction ends. */
export async function lockProduct(tx: Transaction, id: string): Promise<Product | undefined> {
  const [row] = await tx<ProductRow[]>`select ${columns(tx)} from product where id = ${id} for update`;
  return row && productOf(row);
}

/** Updates a locked product. */
export async function updateProduct(tx: Transaction, p: Product): Promise<void> {
  await tx`
    update product set name = ${p.name}, description = ${p.description}, category = ${p.category}, price = ${p.price},
      currency = ${p.currency}, active = ${p.active}, search_text = ${searchTextOf(p)}, update_time = ${p.updateTime} where id = ${p.id}`;
}

/** Records who adjusted the stock, and why. */
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

/** The columns of a product. */
function columns(sql: Sql | Transaction) {
  return sql`id, name, description, category, price, currency, active, create_time, update_time`;
}

function productOf(row: ProductRow): Product {
  const { create_time: createTime, update_time: updateTime, ...rest } = row;
  return { ...rest, createTime, updateTime };
}
