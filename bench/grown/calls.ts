import { nextPageToken } from "../../packages/rpc/src/index.ts";

/** Rows of a page of a list. */
export const pageRows = 20;

/** A call that is measured, of a person. */
export interface Call {
  readonly name: string;
  readonly who: "admin" | "customer";
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: object;
  /** Whether it places an order, whose checkout is waited for. */
  readonly places?: true;
}

/** What the calls name. */
export interface Known {
  /** The customer of one order in a hundred, who makes the calls, and one of about 20 orders. */
  readonly common: string;
  readonly rare: string;
  readonly orderId: string;
  readonly paymentId: string;
  readonly productId: string;
  /** The admin of a fifth of the changes. */
  readonly actor: string;
  /** Where three quarters of the orders, accounts and products are newer. */
  readonly deep: { readonly order: string; readonly user: string; readonly product: string };
}

type Filter = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** A call whose path is each of these in turn. */
export interface TurnedCall extends Omit<Call, "path"> {
  readonly paths: readonly [string, ...string[]];
}

/**
 * The calls of each of these, as one list. How many rows of one customer share a page is chance, so a call that names
 * one is made of several.
 */
export function callsInTurn(first: Known, ...others: readonly Known[]): readonly TurnedCall[] {
  const more = others.map(callsOf);
  return callsOf(first).map(({ path, ...call }, at) => ({
    ...call,
    paths: [path, ...more.map((calls) => calls[at]?.path ?? path)],
  }));
}

/** The calls of the contract that read or write what grows, each filter with a common and a rare value. */
export function callsOf(o: Known): readonly Call[] {
  const read = (name: string, path: string): Call => ({ name, who: "admin", method: "GET", path });
  /** The first page and a deep one. A page token holds the filter as the service that reads it writes it. */
  const list = (name: string, path: string, deep: string, query: Filter, filter: Filter): readonly Call[] => {
    const parameters = Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]);
    const at = (token: string) =>
      new URLSearchParams([...parameters, ["pageSize", String(pageRows)], ["pageToken", token]]);
    const [first, later] = [at(""), at(nextPageToken([deep], filter))];
    return [read(name, `${path}?${first}`), read(`${name}, deep`, `${path}?${later}`)];
  };
  const orders = (name: string, { attention = false, ...filter }: Filter) =>
    list(`ListOrders ${name}`, "/api/orders", o.deep.order, { ...filter, attention }, { ...filter, attention });
  const payments = (name: string, { attention = false, ...filter }: Filter) =>
    list(`ListPayments ${name}`, "/api/payments", o.deep.order, { ...filter, attention }, { ...filter, attention });
  const mails = (name: string, filter: Filter) =>
    list(`ListNotifications ${name}`, "/api/notifications", o.deep.order, filter, filter);
  const audit = (name: string, filter: Filter) =>
    list(`ListAuditEntries ${name}`, "/api/audit-entries", o.deep.order, filter, filter);
  const products = (name: string, { query = "", ...filter }: Filter) =>
    list(
      `ListProducts ${name}`,
      "/api/products",
      o.deep.product,
      { ...filter, query },
      { patterns: query === "" ? [] : [`%${query}%`], activeOnly: false, ...filter },
    );
  const { common, rare } = o;
  const items = [{ productId: o.productId, quantity: 1 }];
  return [
    read("GetOrder", `/api/orders/${o.orderId}`),
    read("ListOrderEvents", `/api/orders/${o.orderId}/events`),
    ...orders("all", {}),
    ...orders("common user", { userId: common }),
    ...orders("rare user", { userId: rare }),
    ...orders("common status", { status: "DELIVERED" }),
    ...orders("rare status", { status: "REJECTED" }),
    ...orders("no such status", { status: "PENDING" }),
    ...orders("common user and status", { userId: common, status: "DELIVERED" }),
    ...orders("common user, rare status", { userId: common, status: "REJECTED" }),
    ...orders("rare user and status", { userId: rare, status: "REJECTED" }),
    ...orders("attention", { attention: true }),
    ...orders("attention of a user", { userId: rare, attention: true }),
    ...orders("attention and status", { status: "CANCELLED", attention: true }),
    ...orders("attention, user and status", { userId: common, status: "CANCELLED", attention: true }),
    read("GetPayment", `/api/payments/${o.paymentId}`),
    ...payments("all", {}),
    ...payments("of an order", { orderId: o.orderId }),
    ...payments("attention", { attention: true }),
    ...mails("all", {}),
    ...mails("common user", { userId: common }),
    ...mails("rare user", { userId: rare }),
    ...mails("of an order", { orderId: o.orderId }),
    ...mails("common state", { state: "SENT" }),
    ...mails("rare state", { state: "FAILED" }),
    ...mails("common user, rare state", { userId: common, state: "FAILED" }),
    ...audit("all", {}),
    ...audit("actor", { actor: o.actor }),
    ...audit("common method", { method: "ShipOrder" }),
    ...audit("rare method", { method: "CancelOrder" }),
    ...audit("actor and method", { actor: o.actor, method: "ShipOrder" }),
    ...audit("subject", { subject: `order:${o.orderId}` }),
    read("GetProduct", `/api/products/${o.productId}`),
    ...products("all", {}),
    ...products("common category", { category: "common" }),
    ...products("rare category", { category: "rare" }),
    ...products("search", { query: "teapot" }),
    read("GetUser", `/api/users/${common}`),
    ...list("ListUsers", "/api/users", o.deep.user, {}, {}),
    read("ListDeadLetters", "/api/dead-letters"),
    read("ListSubscriptions", "/api/subscriptions"),
    {
      ...{ name: "CreateOrder", who: "customer", method: "POST", path: "/api/orders", places: true },
      body: { items, paymentMethod: "pm_test_approved" },
    },
  ];
}
