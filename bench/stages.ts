/**
 * The microseconds of CPU of each stage of a call in Rialto: `node bench/stages.ts`, with `--write` for its table in
 * docs/performance.md. Each stage is measured by itself in a loop; HTTP by wrk, where there is one. The request is
 * CreateOrder with two lines and a key, the most that the pipeline does for a call.
 */
import { createSecretKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { Writable } from "node:stream";
import { create } from "@bufbuild/protobuf";
import { createDeadlineWheel } from "../packages/async/src/deadline-wheel.ts";
import { LazySignal } from "../packages/async/src/index.ts";
import { bytesOf, createMethodCodecs } from "../packages/connect/src/codec/message-codec.ts";
import { CreateOrderRequestSchema, OrderService } from "../packages/contracts/src/index.ts";
import { checkMessage } from "../packages/rpc/src/bounds/message-bounds.ts";
import { requestSizeOf } from "../packages/rpc/src/bounds/request-size.ts";
import { ownCopy } from "../packages/rpc/src/client/own-copy.ts";
import { decideAccess } from "../packages/rpc/src/identity/access.ts";
import { identify, identifyInProcess } from "../packages/rpc/src/identity/identity.ts";
import {
  backgroundContext,
  createClient,
  createEndpoint,
  createPersonTokens,
  createServiceTokens,
  createTokenVerifier,
  type Handlers,
  serve,
  type UserId,
} from "../packages/rpc/src/index.ts";
import { messageBytesMax } from "../packages/rpc/src/limits.ts";
import { logCall } from "../packages/rpc/src/server/call-log.ts";
import { startClock } from "../packages/rpc/src/server/deadline.ts";
import { HandlerContext } from "../packages/rpc/src/server/handler-context.ts";
import { idempotencyKeyOf } from "../packages/rpc/src/server/idempotency.ts";
import { createMethodPlans } from "../packages/rpc/src/server/method-plan.ts";
import { assertValid, writeIdsInLowerCase } from "../packages/rpc/src/server/validation.ts";
import { requestIdFrom } from "../packages/rpc/src/wire/request-id.ts";
import { continueTrace, createLogger } from "../packages/telemetry/src/index.ts";
import { connectLoad } from "./load/rpc-load.ts";
import { measureRound } from "./measure/compare.ts";
import { cpuPerOperation } from "./measure/pairs.ts";
import { createKeys, customerId } from "./programs/keys.ts";
import { orderAnswer, orderId } from "./programs/order-answer.ts";
import { betweenMarkers } from "./report/markers.ts";
import { script, serverSubject } from "./subjects/server.ts";
import { findProgram } from "./tools/program.ts";

const warmUpMs = 500;
const measuredMs = 1_500;
/** Calls between two looks at the clock. */
const batch = 200;

/** Returns the microseconds of CPU (user and system, of all threads) that a stage takes, after a warm-up. */
async function microsecondsOf(stage: () => unknown): Promise<number> {
  const runFor = async (ms: number): Promise<number> => {
    const started = performance.now();
    const before = process.cpuUsage();
    let runs = 0;
    while (performance.now() - started < ms) {
      for (let run = 0; run < batch; run += 1) {
        const result = stage();
        if (result instanceof Promise) await result;
      }
      runs += batch;
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / runs;
  };
  await runFor(warmUpMs);
  return runFor(measuredMs);
}

const { createOrder } = OrderService.method;
const init = {
  items: [
    { productId: orderId, quantity: 2 },
    { productId: customerId, quantity: 1 },
  ],
  paymentMethod: "pm_test_approved",
};
const request = ownCopy(CreateOrderRequestSchema, init);

const keys = createKeys();
const person = { userId: customerId as UserId, role: "CUSTOMER", sessionId: "session-1" } as const;
const caller = { kind: "user", ...person } as const;
const verifier = createTokenVerifier({
  accessKeys: async () => ({ keys: [keys.access.public] }),
  serviceKeys: { keys: [keys.gateway.public] },
});
const tokens = createServiceTokens({ name: "gateway", privateKey: keys.gateway.private });
const persons = createPersonTokens({ name: "gateway", privateKey: keys.gateway.private });
const headers = new Map([
  ["rialto-service", await tokens.for("order")],
  ["authorization", `Bearer ${await persons.for(person, "order")}`],
  ["rialto-client-address", "192.0.2.1"],
]);
const shown = { get: (name: string) => headers.get(name) ?? null };

const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
const [quiet, talking] = (["info", "debug"] as const).map((level) =>
  createLogger({ service: "order", level, destination: nowhere }),
);
if (quiet === undefined || talking === undefined) throw new Error("no logs");

const fingerprintKey = createSecretKey("the key of a bench", "utf8");
const wheel = createDeadlineWheel();
const planOf = createMethodPlans();
const plan = planOf(createOrder);
const traceparent = continueTrace().traceparent;
const background = { ...backgroundContext({}), caller, clientAddress: "192.0.2.1" };
const clock = startClock(wheel, new LazySignal(), new Date(Date.now() + 600_000));
const newContext = () => {
  const context = new HandlerContext({
    ...{ method: plan.name, requestId: "a-request", traceparent, now: new Date(), clock, log: quiet },
  });
  context.identify(caller, { caller, clientAddress: "192.0.2.1" });
  return context;
};

const unused = OrderService.methods.map(({ localName, name }) => [
  localName,
  () => Promise.reject(new Error(`${name} is not measured`)),
]);
const handlers = { ...Object.fromEntries(unused), createOrder: async () => orderAnswer(orderId) };
const endpoint = createEndpoint({
  service: "order",
  // Every method of the service has one; the type of fromEntries does not say so.
  routes: [serve(OrderService, handlers as Handlers<typeof OrderService>)],
  verifier,
  fingerprintKey: "the key of a bench",
  log: quiet,
});
const orders = createClient(
  OrderService,
  { kind: "local", endpoint: () => endpoint },
  { caller: "gateway", target: "order", tokens, persons },
);

const codecs = createMethodCodecs(createOrder, {
  binaryOptions: {},
  jsonOptions: { alwaysEmitImplicit: true },
  readMaxBytes: messageBytesMax,
  writeMaxBytes: messageBytesMax,
});
const size = requestSizeOf(createOrder);
const sent = create(CreateOrderRequestSchema, init);
const bodyOf = (isBinary: boolean) => bytesOf(codecs.input(isBinary).serialize(sent));
const [jsonBody, binaryBody] = [bodyOf(false), bodyOf(true)];
const answer = create(createOrder.output, orderAnswer(orderId));

const stages: Readonly<Record<string, () => unknown>> = {
  "deadline: start and stop": () => startClock(wheel, new LazySignal(), new Date(Date.now() + 5_000)).stop(),
  "request id, where the caller gave none": () => requestIdFrom(null),
  "trace, where somebody reads it": () => continueTrace(traceparent),
  "identity by two tokens seen before": () => identify(shown, "order", verifier),
  "identity in one process": () => identifyInProcess("gateway", background, verifier),
  "admission: plan and policy": () => decideAccess(planOf(createOrder).policy, caller),
  validation: () => assertValid(CreateOrderRequestSchema, request),
  "idempotency key and fingerprint": () =>
    idempotencyKeyOf({ method: createOrder, request, key: "k-1", caller, fingerprintKey }),
  "ids in lower case": () => writeIdsInLowerCase(CreateOrderRequestSchema, request),
  "context of the handler": newContext,
  "log line, below the log's level": () => logCall(quiet, newContext(), undefined),
  "log line, written": () => logCall(talking, newContext(), undefined),
  "bounds of the body, JSON": () => checkMessage(jsonBody, { method: createOrder, size, isJson: true }),
  "bounds of the body, binary": () => checkMessage(binaryBody, { method: createOrder, size, isJson: false }),
  "decode, JSON": () => codecs.input(false).parse(jsonBody),
  "decode, binary": () => codecs.input(true).parse(binaryBody),
  "encode, JSON": () => codecs.output(false).serialize(answer),
  "encode, binary": () => codecs.output(true).serialize(answer),
  "copy of the request": () => ownCopy(CreateOrderRequestSchema, init),
  "whole call in one process": () => orders.createOrder(init, background, { idempotencyKey: "k-1" }),
};

const rows: (readonly [name: string, microseconds: string])[] = [["HTTP in and out", await httpMicroseconds()]];
for (const [name, stage] of Object.entries(stages)) rows.push([name, (await microsecondsOf(stage)).toFixed(2)]);
clock.stop();
const lines = rows.map(([name, figure]) => `| ${name} | ${figure} |`);
const table = ["| stage | CPU µs |", "|---|---|", ...lines].join("\n");
process.stdout.write(`${table}\n`);
if (process.argv.includes("--write")) {
  const page = new URL("../docs/performance.md", import.meta.url);
  writeFileSync(page, betweenMarkers(readFileSync(page, "utf8"), table, "stages"));
}

/** HTTP/1.1 alone, by the bench's own way: a process under load, and the CPU of its tree. */
async function httpMicroseconds(): Promise<string> {
  const wrk = findProgram("wrk");
  if (wrk === undefined) return "wrk is missing";
  const tools = { vegeta: undefined, grpcClient: undefined, connectGo: undefined, nginx: undefined, redis: undefined };
  const pace = { decides: true, warmUpSeconds: 4, roundSeconds: 4, pairs: 1, openLoopSeconds: 1, calls: 1, starts: 1 };
  const print = (line: string) => void process.stderr.write(`${line}\n`);
  const root = new URL("../", import.meta.url).pathname;
  const bench = { root, before: undefined, tools: { ...tools, wrk, pgbench: undefined, baselines: false }, keys, pace };
  const programs = [script("programs/http-only.ts")];
  const subject = serverSubject({ name: "HTTP", programs, load: connectLoad("json") });
  const running = await subject.start({ ...bench, print });
  try {
    await running.load.closed(pace.warmUpSeconds);
    return cpuPerOperation(await measureRound(running, pace.roundSeconds)).toFixed(2);
  } finally {
    await running.stop();
  }
}
