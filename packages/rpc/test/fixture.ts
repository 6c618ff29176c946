import type { IncomingHttpHeaders } from "node:http";
import { create, createFileRegistry, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, file_google_protobuf_empty } from "@bufbuild/protobuf/wkt";
import { AuthService, OrderErrorReason, OrderService, PaymentService, ProductService } from "@rialto/contracts";
import { createLogger } from "@rialto/telemetry";
import {
  type CallContext,
  clientAddressHeader,
  createEndpoint,
  defineErrors,
  type Endpoint,
  type Handlers,
  type Route,
  requireOwner,
  serve,
  serviceTokenHeader,
} from "../src/index.ts";
import type { People } from "./keys.ts";

export const orderId = "0197f000-0000-7000-8000-0000000000f0";
export const ownerId = "0197f000-0000-7000-8000-000000000001";

const row = { code: "failed_precondition", retryable: false, client: "c", operator: "o" } as const;

export const errors = defineErrors(OrderErrorReason, "order", {
  ORDER_NOT_FOUND: { ...row, code: "not_found", message: "There is no such order." },
  PRODUCT_UNAVAILABLE: { ...row, message: "A product is not on sale." },
  CURRENCY_MIXED: { ...row, message: "m" },
  TOTAL_TOO_LARGE: { ...row, message: "m" },
  CUSTOMER_UNKNOWN: { ...row, message: "m" },
  EMAIL_UNCONFIRMED: { ...row, message: "m" },
  ORDER_CLOSED: { ...row, message: "m" },
  ORDER_SHIPPED: { ...row, message: "m" },
  ORDER_NOT_CONFIRMED: { ...row, message: "m" },
  ORDER_NOT_SHIPPED: { ...row, message: "m" },
  SHIPPING_REQUESTED: { ...row, message: "m" },
  CANCELLATION_REQUESTED: { ...row, message: "m" },
  TOTAL_CHANGED: { ...row, message: "m" },
});

/** A method that the contract gives no policy. */
export const internalService = (() => {
  const file = create(FileDescriptorProtoSchema, {
    name: "test/internal.proto",
    package: "test",
    syntax: "proto3",
    dependency: ["google/protobuf/empty.proto"],
    service: [
      {
        name: "InternalService",
        method: [{ name: "Reach", inputType: ".google.protobuf.Empty", outputType: ".google.protobuf.Empty" }],
      },
    ],
  });
  const registry = createFileRegistry(file, (name) =>
    name === file_google_protobuf_empty.proto.name ? file_google_protobuf_empty : undefined,
  );
  const service = registry.getService("test.InternalService");
  if (service === undefined) throw new Error("no service");
  return service;
})();

/** The handlers of a service of which a test needs a few. */
export function some<S extends DescService>(service: S, handlers: Partial<Handlers<S>>): Route {
  const missing = Object.fromEntries(
    service.methods.map((method) => [
      method.localName,
      () => Promise.reject(new Error(`${method.name} is not part of this test`)),
    ]),
  );
  return serve(service, { ...missing, ...handlers } as Handlers<S>);
}

/**
 * An endpoint that answers to "order" and serves a piece of several domains. It remembers who called. What comes to it
 * without a service's token comes through the gateway, as people's calls do; `direct` is the endpoint as it is.
 */
export function createFixture(people: People, orders: Partial<Handlers<typeof OrderService>> = {}) {
  const calls: CallContext[] = [];
  const lines: Record<string, unknown>[] = [];
  const direct = createEndpoint({
    service: "order",
    verifier: people.verifier,
    fingerprintKey: "secret",
    log: createLogger({
      service: "order",
      level: "debug",
      destination: { write: (line: string) => void lines.push(JSON.parse(line)) },
    }),
    routes: [
      some(OrderService, {
        getOrder: async ({ id }, ctx) => {
          calls.push(ctx);
          requireOwner(ctx, ownerId, errors.ORDER_NOT_FOUND);
          return { order: { id, version: 1 } };
        },
        createOrder: async ({ items }, ctx) => {
          calls.push(ctx);
          return { order: { id: orderId, items: items.map(({ productId, quantity }) => ({ productId, quantity })) } };
        },
        shipOrder: async ({ id }, ctx) => {
          calls.push(ctx);
          return { order: { id } };
        },
        ...orders,
      }),
      some(ProductService, {
        listProducts: async (_request, ctx) => {
          calls.push(ctx);
          return { products: [] };
        },
      }),
      some(PaymentService, {
        authorizePayment: async (_request, ctx) => {
          calls.push(ctx);
          return {};
        },
      }),
      some(AuthService, {
        login: async (_request, ctx) => {
          calls.push(ctx);
          return {};
        },
        listRevocations: async (_request, ctx) => {
          calls.push(ctx);
          return {};
        },
      }),
      serve(internalService, { reach: async () => ({}) } as never),
    ],
  });
  return { endpoint: behindGateway(direct, people), direct, calls, lines };
}

function behindGateway(direct: Endpoint, people: People): Endpoint {
  const passedOn = async (given: Headers): Promise<Headers> => {
    if (given.has(serviceTokenHeader)) return given;
    const headers = new Headers(given);
    headers.set(serviceTokenHeader, await people.gateway.for("order"));
    headers.set(clientAddressHeader, "192.0.2.1");
    return headers;
  };
  return {
    ...direct,
    handle: async (request) => direct.handle({ ...request, header: await passedOn(request.header) }),
    fastPath(receiveCall) {
      const fast = direct.fastPath?.(receiveCall);
      if (fast === undefined) throw new Error("the endpoint has no fast path");
      return {
        onRequest: (req, res) => fast.onRequest(passedOnAs(req, people), res),
        onStream: (stream, headers) => fast.onStream(stream, passedOnAs({ headers }, people).headers),
      };
    },
  };
}

/** The same request, with what the gateway adds to its headers. */
function passedOnAs<R extends { readonly headers: IncomingHttpHeaders }>(request: R, people: People): R {
  if (request.headers[serviceTokenHeader] !== undefined) return request;
  request.headers[serviceTokenHeader] = people.gatewayAtOrder;
  request.headers[clientAddressHeader] = "192.0.2.1";
  return request;
}
