import type { JsonObject } from "@bufbuild/protobuf";
import type { Page, Route } from "playwright-core";
import { listJson, type MadeTrace, traceJson } from "./trace-fixtures.ts";
import { confirmedId, deadId, declinedId, everyTrace } from "./trace-stories.ts";

export const admin = { email: "admin@rialto.example", password: "the admin's own password" };

/** Answers what the page asks of the API, in place of the gateway. `requested` has the paths, and what allowed them. */
export async function standInForApi(page: Page, traces: readonly MadeTrace[] = everyTrace) {
  const requested: { readonly path: string; readonly authorization: string | undefined }[] = [];
  const state = { isExpired: false, isEnded: false, isLimited: false };
  await page.route("**/api/**", async (route) => {
    const { pathname, searchParams } = new URL(route.request().url());
    const { authorization } = route.request().headers();
    requested.push({ path: pathname, authorization });
    if (pathname.startsWith("/api/auth/")) return answerAuth(route, pathname, state);
    if (state.isLimited) return route.fulfill({ status: 429, headers: { "retry-after": "600" }, json: {} });
    if (state.isExpired || authorization === undefined) return refuse(route, 401, "UNAUTHENTICATED", "Sign in.");
    await answerGet(route, pathname, searchParams, traces);
  });
  return { requested, state };
}

async function answerAuth(route: Route, path: string, state: { isExpired: boolean; isEnded: boolean }): Promise<void> {
  const { email, password } = route.request().postDataJSON();
  if (path === "/api/auth/logout") return route.fulfill({ json: {} });
  const isRefresh = path === "/api/auth/refresh";
  if (isRefresh && state.isEnded) return refuse(route, 401, "REFRESH_TOKEN_INVALID", "The session has ended.");
  if (!isRefresh && password !== admin.password)
    return refuse(route, 401, "CREDENTIALS_INVALID", "E-mail or password is wrong.");
  state.isExpired = false;
  const role = email === undefined || email === admin.email ? "ADMIN" : "CUSTOMER";
  const token = `a-token-of-${path.split("/").at(-1)}`;
  await route.fulfill({ json: { accessToken: token, refreshToken: "spent once", expiresIn: 900, user: { role } } });
}

async function answerGet(
  route: Route,
  path: string,
  query: URLSearchParams,
  traces: readonly MadeTrace[],
): Promise<void> {
  const [orderId, requestId] = [query.get("orderId"), query.get("requestId")];
  if (path === "/api/traces") {
    const named = traces.filter(
      ({ orderIds = [], requestIds = [] }) =>
        (orderId === null || orderIds.includes(orderId)) && (requestId === null || requestIds.includes(requestId)),
    );
    return route.fulfill({ json: listJson(named) });
  }
  if (path === "/api/dead-letters") return route.fulfill({ json: { deadLetters: [deadLetter], nextPageToken: "" } });
  const trace = traces.find(({ traceId }) => path === `/api/traces/${traceId}`);
  if (trace !== undefined) return route.fulfill({ json: traceJson(trace) });
  const order = orders.find(({ id }) => path.startsWith(`/api/orders/${id}`));
  if (order === undefined) return refuse(route, 404, "NOT_FOUND", "There is none.");
  return route.fulfill({ json: path.endsWith("/events") ? { events: order.events } : order.json });
}

function refuse(route: Route, status: number, reason: string, message: string): Promise<void> {
  return route.fulfill({ status, json: { code: 16, message, details: [{ reason }] } });
}

const total = { currencyCode: "EUR", minorUnits: "4990" };

const order = (id: string, status: string, steps: readonly (readonly [kind: string, second: number])[], more = {}) => {
  const [trace] = everyTrace.filter(({ orderIds = [] }) => orderIds.includes(id));
  const timeAt = (second: number) => new Date((trace?.startMs ?? 0) + second * 1_000).toISOString();
  const events = steps.map(([kind, second], version): JsonObject => {
    const actor = ["PLACED", "SHIP_REQUESTED"].includes(kind) ? "customer:1" : "service:order";
    return { kind, version, time: timeAt(second), actor, reason: "", traceId: trace?.traceId ?? "" };
  });
  return { id, events, json: { id, status, total, createTime: timeAt(0), ...more } };
};

const orders = [
  order(confirmedId, "SHIPPED", [
    ["PLACED", 0.012],
    ["STOCK_RESERVED", 0.035],
    ["CONFIRMED", 0.071],
    ["SHIP_REQUESTED", 95.006],
    ["SHIPPED", 95.047],
  ]),
  order(
    declinedId,
    "REJECTED",
    [
      ["PLACED", 0.012],
      ["STOCK_RESERVED", 0.035],
      ["REJECTED", 0.084],
    ],
    { rejectionReason: "PAYMENT_DECLINED" },
  ),
  order(deadId, "CONFIRMED", [
    ["PLACED", 0.012],
    ["STOCK_RESERVED", 0.035],
    ["CONFIRMED", 0.071],
  ]),
];

const deadLetter = {
  subscription: "order-mail",
  topic: "order.confirmed",
  subject: deadId,
  attempts: 3,
  error: "TypeError: Cannot read properties of undefined (reading 'street')",
  payload: { orderId: deadId },
  traceId: "de".repeat(16),
};
