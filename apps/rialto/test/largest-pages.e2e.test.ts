import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  ListOrdersRequestSchema,
  ListOrdersResponseSchema,
  ListProductsRequestSchema,
  ListProductsResponseSchema,
  OrderService,
  ProductService,
} from "@rialto/contracts";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Json, openRestClient, type RestClient } from "./rest-client.ts";
import { oneProcess, type Topology } from "./topology.ts";

/** The default maximum message size of gRPC clients. */
const messageBytesMax = 4 * 1024 * 1024;
const rowsMax = 200;
/** Characters of four bytes, which no encoding makes shorter. */
const wide = (chars: number) => "𝒳".repeat(chars);

let topology: Topology;
let client: RestClient;
let productIds: readonly string[];
let orderIds: readonly string[];

beforeAll(async () => {
  topology = await oneProcess("postgres");
  client = await openRestClient(topology);
  // One of each, stored by the service, and copies of it.
  const category = "largest";
  const body = {
    ...{ name: wide(200), description: wide(5_000), category, active: true },
    price: { currencyCode: "EUR", minorUnits: "1000000000" },
  };
  const product = (await client.post("/api/products", { token: client.adminToken, body })).body;
  const sold = await client.product({ stock: 5 });
  const { id: orderId } = await client.order(client.adminToken, sold);
  await client.settled(client.adminToken, orderId);
  const sql = postgres(topology.databaseUrl, { max: 1 });
  try {
    productIds = (
      await sql<{ id: string }[]>`
        insert into product.product
        select (jsonb_populate_record(p, jsonb_build_object('id', gen_random_uuid()))).*
        from product.product p, generate_series(2, ${rowsMax}) where p.id = ${product.id} returning id`
    ).map(({ id }) => id);
    const line = { productId: sold, name: wide(200), unitPrice: "1", quantity: 1, total: "1" };
    const lines = JSON.stringify(Array.from({ length: 50 }, () => line));
    await sql`update "order".orders set items = ${lines}::text::jsonb where id = ${orderId}`;
    orderIds = (
      await sql<{ id: string }[]>`
        insert into "order".orders
        select (jsonb_populate_record(o, jsonb_build_object('id', gen_random_uuid()))).*
        from "order".orders o, generate_series(2, ${rowsMax}) where o.id = ${orderId} returning id`
    ).map(({ id }) => id);
  } finally {
    await sql.end();
  }
  productIds = [...productIds, product.id].sort();
  orderIds = [...orderIds, orderId].sort();
});
afterAll(() => topology?.stop());

interface Page {
  readonly ids: readonly string[];
  readonly nextPageToken: string;
}

/** Sends a request, with retries while the machine is too busy. Returns the bytes of the response. */
async function bytesOf(path: string, contentType?: string, body?: Uint8Array): Promise<Uint8Array> {
  for (;;) {
    const response = await fetch(`${topology.url}${path}`, {
      headers: {
        authorization: `Bearer ${client.adminToken}`,
        ...(contentType === undefined ? {} : { "content-type": contentType }),
      },
      ...(body === undefined ? {} : { method: "POST", body: Buffer.from(body) }),
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.status === 503 || response.status === 504) continue;
    expect([response.status, bytes.length <= messageBytesMax]).toEqual([200, true]);
    return bytes;
  }
}

async function untilItAnswers<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (code !== Code.Unavailable && code !== Code.DeadlineExceeded) throw error;
    }
  }
}

const pageOf = (rows: readonly { readonly id: string }[], nextPageToken: string): Page => ({
  ids: rows.map(({ id }) => id),
  nextPageToken,
});
const json = (bytes: Uint8Array): Json => JSON.parse(Buffer.from(bytes).toString());
const request = { pageSize: rowsMax, category: "largest" };

const lists: Readonly<Record<string, Readonly<Record<string, (pageToken: string) => Promise<Page>>>>> = {
  products: {
    "Connect JSON": async (pageToken) => {
      const asked = Buffer.from(JSON.stringify({ ...request, pageToken }));
      const page = json(await bytesOf(`/${ProductService.typeName}/ListProducts`, "application/json", asked));
      return pageOf(page.products, page.nextPageToken);
    },
    "Connect binary": async (pageToken) => {
      const asked = toBinary(ListProductsRequestSchema, create(ListProductsRequestSchema, { ...request, pageToken }));
      const bytes = await bytesOf(`/${ProductService.typeName}/ListProducts`, "application/proto", asked);
      const page = fromBinary(ListProductsResponseSchema, bytes);
      return pageOf(page.products, page.nextPageToken);
    },
    gRPC: async (pageToken) => {
      const transport = createGrpcTransport({ baseUrl: topology.url, readMaxBytes: messageBytesMax });
      const { listProducts } = createClient(ProductService, transport);
      const page = await untilItAnswers(() => listProducts({ ...request, pageToken }));
      return pageOf(page.products, page.nextPageToken);
    },
    REST: async (pageToken) => {
      const query = `pageSize=${rowsMax}&category=largest&pageToken=${pageToken}`;
      const page = json(await bytesOf(`/api/products?${query}`));
      return pageOf(page.products, page.nextPageToken);
    },
  },
  orders: {
    "Connect JSON": async (pageToken) => {
      const asked = Buffer.from(JSON.stringify({ pageSize: rowsMax, pageToken }));
      const page = json(await bytesOf(`/${OrderService.typeName}/ListOrders`, "application/json", asked));
      return pageOf(page.orders, page.nextPageToken);
    },
    "Connect binary": async (pageToken) => {
      const asked = create(ListOrdersRequestSchema, { pageSize: rowsMax, pageToken });
      const body = toBinary(ListOrdersRequestSchema, asked);
      const bytes = await bytesOf(`/${OrderService.typeName}/ListOrders`, "application/proto", body);
      const page = fromBinary(ListOrdersResponseSchema, bytes);
      return pageOf(page.orders, page.nextPageToken);
    },
    REST: async (pageToken) => {
      const page = json(await bytesOf(`/api/orders?pageSize=${rowsMax}&pageToken=${pageToken}`));
      return pageOf(page.orders, page.nextPageToken);
    },
  },
};

describe("a list of the largest rows that the contract allows", () => {
  it.each(
    Object.entries(lists).flatMap(([what, ways]) =>
      Object.entries(ways).map(([way, ask]) => [what, way, ask] as const),
    ),
  )("comes whole, each of the %s once, on pages that can be written, over %s", async (what, _way, ask) => {
    const seen: string[] = [];
    let pages = 0;
    for (let pageToken = ""; pages === 0 || pageToken !== ""; pages += 1) {
      const page = await ask(pageToken);
      expect(page.ids).not.toEqual([]);
      seen.push(...page.ids);
      pageToken = page.nextPageToken;
    }
    expect(seen.toSorted()).toEqual(what === "products" ? productIds : orderIds);
    expect(pages).toBeGreaterThan(1);
  });
});

describe("BatchGetProducts", () => {
  const batch = (ids: readonly string[]) =>
    client.call("GET", `/api/products:batchGet?${ids.map((id) => `ids=${id}`).join("&")}`);

  it("answers as many of the largest products as fit", async () => {
    const { status, body } = await batch(productIds.slice(0, 100));
    expect([status, body.products.length]).toEqual([200, 100]);
  });

  it("refuses by the field, and asks for fewer, where they do not", async () => {
    const path = `/${ProductService.typeName}/BatchGetProducts`;
    const { status, body } = await client.call("POST", path, { body: { ids: productIds }, key: "not kept by a read" });
    expect([status, body.code]).toEqual([400, "invalid_argument"]);
    expect(JSON.stringify(body)).toContain("ask for fewer");
  });
});
