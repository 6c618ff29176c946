import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DescMethod, type DescService, getOption } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import * as contracts from "@rialto/contracts";
import { startEmbeddedPostgres } from "@rialto/embedded-postgres";
import { subscribe } from "@rialto/events";
import { readConfig, type ServiceDefinition, serviceNames } from "@rialto/service";
import { freePort, quietLogger } from "@rialto/testing";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Rialto, startRialto } from "../src/rialto.ts";
import { services } from "../src/services.ts";
import { type Answer, type Json, openRestClient, type RestClient } from "./rest-client.ts";
import { admin } from "./topology.ts";

const bad = "always-throws";

/** The notification service with one more subscription, whose every event is a dead letter at once. */
function withBadSubscriber(definition: ServiceDefinition): ServiceDefinition {
  if (definition.name !== "notification") return definition;
  return {
    ...definition,
    async open(app) {
      const open = await definition.open(app);
      const handler = {
        async handle() {
          throw new Error("this subscriber always throws");
        },
      };
      const subscription = subscribe(bad, "order.placed", contracts.OrderEventSchema, handler, { attemptsMax: 1 });
      return { ...open, subscriptions: [...open.subscriptions, subscription] };
    },
  };
}

interface AuditRow {
  readonly schema: string;
  readonly id: string;
  readonly actor: string;
  readonly method: string;
  readonly subject: string;
  readonly changes: Json;
  readonly requestId: string;
  readonly clientAddress: string;
}

let folder: string;
let server: Awaited<ReturnType<typeof startEmbeddedPostgres>>;
let sql: postgres.Sql;
let rialto: Rialto;
let client: RestClient;
let adminId: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rialto-audit-"));
  server = await startEmbeddedPostgres({ directory: join(folder, "postgres"), log: quietLogger });
  sql = postgres(server.url, { max: 2, onnotice: () => undefined });
  const port = await freePort();
  const config = readConfig({
    DATABASE_URL: server.url,
    RIALTO_DATA_DIR: join(folder, "data"),
    RIALTO_ADMIN_EMAIL: admin.email,
    RIALTO_ADMIN_PASSWORD: admin.password,
    RIALTO_ARGON2_COST: "test",
    // All requests of this file come from one address and one admin.
    RIALTO_RATE_LIMIT: "0",
    PORT: String(port),
  });
  rialto = await startRialto({ config, logOf: () => quietLogger, definitions: services.map(withBadSubscriber) });
  client = await openRestClient({ url: `http://127.0.0.1:${port}` });
  const { body } = await asAdmin("GET", "/api/users?pageSize=200");
  adminId = body.users.find((user: Json) => user.email === admin.email).id;
});

afterAll(async () => {
  await rialto?.stop();
  await sql?.end();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function asAdmin(method: string, path: string, body?: unknown): Promise<Answer> {
  const key = method === "GET" ? {} : { key: randomUUID() };
  return await client.call(method, path, { token: client.adminToken, ...key, ...(body === undefined ? {} : { body }) });
}

const post = (path: string, body: unknown = {}) => asAdmin("POST", path, body);

/** Every row of every service's audit log, oldest first. */
async function auditRows(): Promise<AuditRow[]> {
  const logs = await Promise.all(
    serviceNames.map(
      (schema) => sql<AuditRow[]>`
        select ${schema} as schema, id, actor, method, subject, changes, request_id as "requestId",
          client_address as "clientAddress" from ${sql(schema)}.audit_entry`,
    ),
  );
  return logs.flat().sort((one, other) => (one.id < other.id ? -1 : 1));
}

/** The audit rows of a call, whatever its response. */
async function rowsOf(call: () => Promise<Answer>): Promise<{ answer: Answer; rows: AuditRow[] }> {
  const before = new Set((await auditRows()).map(({ id }) => id));
  const answer = await call();
  return { answer, rows: (await auditRows()).filter(({ id }) => !before.has(id)) };
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  await expect.poll(isSo, { message: what, timeout: 60_000 }).toBe(true);
}

async function confirmedOrder(): Promise<Json> {
  const { token } = await client.customer();
  const order = await client.order(token, await client.product({ stock: 10 }));
  return await client.settled(token, order.id);
}

async function shippedOrder(): Promise<Json> {
  const order = await confirmedOrder();
  await post(`/api/orders/${order.id}:ship`);
  await until("it is shipped", async () => (await asAdmin("GET", `/api/orders/${order.id}`)).body.status === "SHIPPED");
  return order;
}

/** An event that is a dead letter of the bad subscription. */
async function deadLetter(): Promise<string> {
  const { id } = await confirmedOrder();
  let found: Json;
  await until("its event is dead", async () => {
    const { body } = await asAdmin("GET", `/api/dead-letters?subscription=${bad}&pageSize=200`);
    found = body.deadLetters.find((letter: Json) => letter.subject === id);
    return found !== undefined;
  });
  return found.eventId;
}

/** Prepares what a method needs. Returns the subject of its audit row and the call. */
type Walk = () => Promise<{ readonly subject: string; call(): Promise<Answer> }>;

const walks: Readonly<Record<string, Walk>> = {
  "rialto.user.v1.UserService/DisableUser": async () => {
    const { id } = await client.customer();
    return { subject: `user:${id}`, call: () => post(`/api/users/${id}:disable`) };
  },
  "rialto.user.v1.UserService/EnableUser": async () => {
    const { id } = await client.customer();
    await post(`/api/users/${id}:disable`);
    return { subject: `user:${id}`, call: () => post(`/api/users/${id}:enable`) };
  },
  "rialto.product.v1.ProductService/CreateProduct": async () => {
    const price = { currencyCode: "EUR", minorUnits: "100" };
    const product = { name: "Teapot", description: "", category: "test", price, active: true };
    return { subject: "product:", call: () => post("/api/products", product) };
  },
  "rialto.product.v1.ProductService/UpdateProduct": async () => {
    const id = await client.product({ stock: 0 });
    const price = { currencyCode: "EUR", minorUnits: "1300" };
    return { subject: `product:${id}`, call: () => asAdmin("PATCH", `/api/products/${id}`, { price }) };
  },
  "rialto.product.v1.InventoryService/AdjustStock": async () => {
    const id = await client.product({ stock: 3 });
    const adjustment = { delta: 4, reason: "delivery" };
    return { subject: `product:${id}`, call: () => post(`/api/products/${id}/stock:adjust`, adjustment) };
  },
  "rialto.order.v1.OrderService/ShipOrder": async () => {
    const { id } = await confirmedOrder();
    return { subject: `order:${id}`, call: () => post(`/api/orders/${id}:ship`) };
  },
  "rialto.order.v1.OrderService/DeliverOrder": async () => {
    const { id } = await shippedOrder();
    return { subject: `order:${id}`, call: () => post(`/api/orders/${id}:deliver`) };
  },
  "rialto.payment.v1.PaymentService/RefundPayment": async () => {
    const order = await shippedOrder();
    const [payment] = await client.payments(order.id);
    const amount = { currencyCode: "EUR", minorUnits: "100" };
    return { subject: `payment:${payment.id}`, call: () => post(`/api/payments/${payment.id}:refund`, { amount }) };
  },
  "rialto.payment.v1.PaymentService/ResolvePaymentAttention": async () => {
    const order = await confirmedOrder();
    const [{ id }] = await client.payments(order.id);
    await sql`
      update payment.payment set attention_reason = 'REFUND_REFUSED', attention_detail = 'account_closed', attention_since = now()
      where id = ${id}`;
    return {
      subject: `payment:${id}`,
      call: () => post(`/api/payments/${id}:resolve`, { reason: "paid by transfer" }),
    };
  },
  "rialto.notification.v1.NotificationService/ResendNotification": async () => {
    const { id: userId } = await client.customer();
    let sent: Json;
    await until("the welcome is sent", async () => {
      const { body } = await asAdmin("GET", `/api/notifications?userId=${userId}&state=SENT`);
      sent = body.notifications[0];
      return sent !== undefined;
    });
    return { subject: `notification:${sent.id}`, call: () => post(`/api/notifications/${sent.id}:resend`) };
  },
  "rialto.events.v1.DeadLetterService/RetryDeadLetter": async () => {
    const id = await deadLetter();
    return { subject: `dead-letter:${bad}/${id}`, call: () => post(`/api/dead-letters/${bad}/${id}:retry`) };
  },
  "rialto.events.v1.DeadLetterService/RetryAllDeadLetters": async () => {
    await deadLetter();
    return { subject: `subscription:${bad}`, call: () => post(`/api/dead-letters/${bad}:retryAll`) };
  },
  "rialto.events.v1.DeadLetterService/DiscardDeadLetter": async () => {
    const id = await deadLetter();
    return { subject: `dead-letter:${bad}/${id}`, call: () => post(`/api/dead-letters/${bad}/${id}:discard`) };
  },
  "rialto.events.v1.SubscriptionService/PauseSubscription": async () => ({
    subject: `subscription:${bad}`,
    call: () => post(`/api/subscriptions/${bad}:pause`),
  }),
  "rialto.events.v1.SubscriptionService/ResumeSubscription": async () => {
    await post(`/api/subscriptions/${bad}:pause`);
    return { subject: `subscription:${bad}`, call: () => post(`/api/subscriptions/${bad}:resume`) };
  },
  "rialto.events.v1.SubscriptionService/RemoveSubscription": async () => {
    const name = `gone-${randomUUID().slice(0, 8)}`;
    await sql`insert into "order".registration (subscription, topics) values (${name}, '{order.placed}')`;
    return { subject: `subscription:${name}`, call: () => asAdmin("DELETE", `/api/subscriptions/${name}`) };
  },
};

function isService(value: unknown): value is DescService {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
}

/** The methods that only an admin may call and that change something. */
const adminMethods = Object.values<unknown>(contracts)
  .filter(isService)
  .flatMap((service) => service.methods)
  .filter((method) => isForAdminsAlone(method) && method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS)
  .map((method) => `${method.parent.typeName}/${method.name}`);

function isForAdminsAlone(method: DescMethod): boolean {
  const { roles } = getOption(method, contracts.access);
  return roles.length === 1 && roles[0] === contracts.Role.ADMIN;
}

describe("the audit log", () => {
  it("is tried with every method that an admin alone may call and that changes something", () => {
    expect(Object.keys(walks).sort()).toEqual([...adminMethods].sort());
  });

  it.each(Object.keys(walks))("has exactly one row of %s, with its actor", async (method) => {
    const { subject, call } = await (walks[method] as Walk)();
    const { answer, rows } = await rowsOf(call);
    expect(answer).toMatchObject({ status: 200 });
    expect(rows).toEqual([
      expect.objectContaining({
        actor: `admin:${adminId}`,
        method,
        subject: expect.stringContaining(subject),
        clientAddress: "127.0.0.1",
        requestId: expect.stringMatching(/^\S+$/),
      }),
    ]);
    expect(rows[0]?.changes.length).toBeGreaterThan(0);
  });

  it("says of prices, stock, roles and states what they were and are, and of personal text only that it changed", async () => {
    const product = await client.product({ stock: 3, price: "1250", name: "A name before" });
    const price = { currencyCode: "EUR", minorUnits: "1300" };
    const priced = await rowsOf(() => asAdmin("PATCH", `/api/products/${product}`, { price, name: "A name after" }));
    expect(priced.rows[0]?.changes).toEqual([
      { field: "name" },
      { field: "price.minor_units", before: "1250", after: "1300" },
    ]);
    const stocked = await rowsOf(() => post(`/api/products/${product}/stock:adjust`, { delta: -1, reason: "broken" }));
    expect(stocked.rows[0]?.changes).toEqual([{ field: "on_hand", before: "3", after: "2" }]);

    const { id, email } = await client.customer();
    const changed = { role: "ADMIN", name: "Somebody Else", email: `${randomUUID()}@elsewhere.test` };
    const promoted = await rowsOf(() => asAdmin("PATCH", `/api/users/${id}`, changed));
    expect(promoted.answer).toMatchObject({ status: 200 });
    expect(promoted.rows[0]?.changes).toEqual([
      { field: "email" },
      { field: "name" },
      { field: "role", before: "CUSTOMER", after: "ADMIN" },
      { field: "sessions", after: "ENDED" },
    ]);
    const all = JSON.stringify(await auditRows());
    for (const personal of [email, changed.email, changed.name, "A name before", "A name after"])
      expect(all).not.toContain(personal);
  });

  it("has no row of what customers do to what is theirs, and one where an admin does it", async () => {
    const { id, token } = await client.customer();
    const order = await client.order(token, await client.product({ stock: 5 }));
    await client.settled(token, order.id);
    const own = await rowsOf(async () => {
      await client.call("PATCH", `/api/users/${id}`, { token, body: { name: "Ada" }, key: randomUUID() });
      return await client.order(token, order.items[0].productId);
    });
    expect(own.rows).toEqual([]);
    const { rows } = await rowsOf(() => post(`/api/orders/${order.id}:cancel`));
    expect(rows).toMatchObject([
      {
        method: "rialto.order.v1.OrderService/CancelOrder",
        subject: `order:${order.id}`,
        changes: [{ field: "pending_action", after: "CANCEL" }],
      },
    ]);
  });

  it("has one row for a request that is repeated with its key, and none for what changes nothing or is refused", async () => {
    const product = await client.product({ stock: 3 });
    const key = randomUUID();
    const adjust = () =>
      client.call("POST", `/api/products/${product}/stock:adjust`, {
        token: client.adminToken,
        key,
        body: { delta: 1, reason: "delivery" },
      });
    expect((await rowsOf(adjust)).rows).toHaveLength(1);
    expect((await rowsOf(adjust)).rows).toEqual([]);
    expect((await rowsOf(() => asAdmin("PATCH", `/api/products/${product}`, { active: true }))).rows).toEqual([]);
    const below = await rowsOf(() => post(`/api/products/${product}/stock:adjust`, { delta: -99, reason: "" }));
    expect(below.answer.status).toBe(400);
    expect(below.rows).toEqual([]);
  });

  it("has no row of a commit that failed", async () => {
    await sql.unsafe(`
      create function public.refuse_commit() returns trigger language plpgsql as $$ begin raise exception 'no commit'; end $$`);
    const product = await client.product({ stock: 1 });
    const order = await confirmedOrder();
    const calls = [
      {
        table: "product.product",
        id: product,
        call: () => asAdmin("PATCH", `/api/products/${product}`, { active: false }),
      },
      { table: '"order".orders', id: order.id, call: () => post(`/api/orders/${order.id}:ship`) },
    ];
    for (const { table, id, call } of calls) {
      await sql.unsafe(`
        create constraint trigger refuse_commit after update on ${table} deferrable initially deferred
        for each row when (new.id = '${id}') execute function public.refuse_commit()`);
      const failed = await rowsOf(call);
      await sql.unsafe(`drop trigger refuse_commit on ${table}`);
      expect(failed.answer.status).toBe(500);
      expect(failed.rows).toEqual([]);
      expect((await rowsOf(call)).rows).toHaveLength(1);
    }
  });

  describe("is listed", () => {
    const list = async (query: string) => await asAdmin("GET", `/api/audit-entries?${query}`);

    it("over all services, newest first, page by page, by who, what and when", async () => {
      const rows = await auditRows();
      const listed: Json[] = [];
      for (let token = ""; ; ) {
        const { status, body } = await list(`pageSize=7&pageToken=${token}`);
        expect(status).toBe(200);
        expect(body.unreachableServices).toEqual([]);
        listed.push(...body.entries);
        token = body.nextPageToken;
        if (token === "") break;
      }
      expect(listed.map(({ id }) => id)).toEqual(rows.map(({ id }) => id).reverse());
      expect(new Set(listed.map(({ service }) => service))).toEqual(new Set(serviceNames));

      const [first] = listed;
      const ids = async (query: string) => (await list(`pageSize=200&${query}`)).body.entries.map(({ id }: Json) => id);
      const where = (is: (row: AuditRow) => boolean) =>
        rows
          .filter(is)
          .map(({ id }) => id)
          .reverse();
      expect(await ids(`actor=admin:${adminId}`)).toEqual(where(({ actor }) => actor === `admin:${adminId}`));
      expect(await ids(`actor=admin:${randomUUID()}`)).toEqual([]);
      expect(await ids(`subject=${first.subject}`)).toEqual(where(({ subject }) => subject === first.subject));
      expect(await ids(`method=${first.method}`)).toEqual(where(({ method }) => method === first.method));
      expect(await ids(`startTime=${new Date(Date.now() + 60_000).toISOString()}`)).toEqual([]);
      expect(await ids(`endTime=${first.time}`)).toEqual(where(({ id }) => id !== first.id));
    });

    it("for admins only", async () => {
      const { token } = await client.customer();
      expect((await client.call("GET", "/api/audit-entries", { token })).status).toBe(403);
      expect((await client.call("GET", "/api/audit-entries")).status).toBe(401);
    });
  });
});
