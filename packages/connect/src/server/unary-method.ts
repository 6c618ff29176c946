import { create, type DescMethodUnary } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  type ConnectRouter,
  type ConnectRouterOptions,
  createMethodImplSpec,
  createServiceImplSpec,
  type MethodImplSpec,
} from "@connectrpc/connect";
import {
  createMethodUrl,
  type UniversalHandlerOptions,
  validateUniversalHandlerOptions,
} from "@connectrpc/connect/protocol";
import { createMethodCodecs, type MethodCodecs } from "../codec/message-codec.ts";
import { type Invoke, invokeWith } from "./invoke.ts";

/** A unary method as the fast path serves it. */
export interface UnaryMethod {
  readonly method: DescMethodUnary;
  readonly options: UniversalHandlerOptions;
  /** Which protocols it is served by. */
  readonly protocols: { readonly connect: boolean; readonly grpc: boolean; readonly grpcWeb: boolean };
  /** Whether it has no side effects: Connect calls it by GET too. */
  readonly isRead: boolean;
  readonly codecs: MethodCodecs;
  readonly invoke: Invoke;
}

/**
 * Returns a router that passes every route on to `router`, and notes the unary ones in `methods`, by their path. A
 * later route of the same path takes the place of an earlier one, also where it is a stream.
 */
export function noteUnaryMethods(
  router: ConnectRouter,
  methods: Map<string, UnaryMethod>,
  o: ConnectRouterOptions & { readonly requestPathPrefix?: string },
): ConnectRouter {
  const note = (spec: MethodImplSpec, options: ConnectRouterOptions | undefined) => {
    const path = `${o.requestPathPrefix ?? ""}${createMethodUrl("/", spec.method)}`;
    if (spec.kind === "unary") methods.set(path, unaryMethod(spec, o, options));
    else methods.delete(path);
  };
  const noting: ConnectRouter = {
    handlers: router.handlers,
    service(service, implementation, options) {
      router.service(service, implementation, options);
      for (const spec of Object.values(createServiceImplSpec(service, implementation).methods)) note(spec, options);
      return noting;
    },
    rpc(method, impl, options) {
      router.rpc(method, impl, options);
      note(createMethodImplSpec(method, impl), options);
      return noting;
    },
  };
  return noting;
}

type UnarySpec = Extract<MethodImplSpec, { readonly kind: "unary" }>;

/** The options of a route come before those of its router, as in the official one, and decide alone on protocols. */
function unaryMethod(spec: UnarySpec, base: ConnectRouterOptions, own: ConnectRouterOptions | undefined): UnaryMethod {
  const options = validateUniversalHandlerOptions({ ...base, ...own });
  const { connect, grpc, grpcWeb } = own ?? base;
  const { method } = spec;
  return {
    method,
    options,
    protocols: { connect: connect !== false, grpc: grpc !== false, grpcWeb: grpcWeb !== false },
    isRead: method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
    codecs: createMethodCodecs(method, options),
    invoke: invokeWith(options.interceptors, (request, context) => {
      const answered = spec.impl(request, context);
      if (!isPromiseLike(answered)) return create(method.output, answered);
      return Promise.resolve(answered).then((message) => create(method.output, message));
    }),
  };
}

function isPromiseLike<T extends object>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return "then" in value && typeof value.then === "function";
}

/** The path of a request, without its query. */
export function pathOf(target: string): string {
  const end = target.indexOf("?");
  return end === -1 ? target : target.slice(0, end);
}
