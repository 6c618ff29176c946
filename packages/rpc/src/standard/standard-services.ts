import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { createConnectRouter, createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { health, reflection, reflectionAlpha } from "@rialto/contracts/grpc";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { toCallError } from "../errors/to-call-error.ts";
import { reflectionQuestionsMax, standardMessageBytesMax, streamTimeoutMsMax } from "../limits.ts";
import { toConnectError } from "../wire/connect-error.ts";
import { callProtocolOf, errorResponse } from "../wire/error-response.ts";
import { withHttpReason } from "../wire/http-errors.ts";
import { clientResponse, type HttpRequest, type HttpResponse } from "../wire/http-message.ts";
import { versionRefusal, withPlainContentType } from "../wire/request-head.ts";
import { boundTimeout } from "../wire/wire-protocol.ts";
import { createHealth, type HealthOf } from "./health.ts";
import { createReflection, type ReflectionAnswer, type ReflectionQuestion } from "./reflection.ts";

/** Whether a path is one of gRPC's own services. */
export function isStandardPath(path: string): boolean {
  return path.startsWith("/grpc.");
}

/** Whether a path is a stream of theirs, which may be open for minutes: watched health, and reflection. */
export function isStandardStream(path: string): boolean {
  return streams.has(path);
}

/** Whether a path is of gRPC's health service, which is answered under load too. */
export function isHealthPath(path: string): boolean {
  return path.startsWith(healthPrefix);
}

const healthPrefix = `/${health.Health.typeName}/`;

/**
 * Answers a request for one of them. `countQuestion` is called for each message of a reflection stream after its first;
 * its error ends the stream.
 */
export type AnswerStandard = (request: HttpRequest, countQuestion?: () => Promise<void>) => Promise<HttpResponse>;

const own: readonly DescService[] = [health.Health, reflection.ServerReflection, reflectionAlpha.ServerReflection];

const streams: ReadonlySet<string> = new Set(
  own
    .flatMap(({ methods }) => methods)
    .filter(({ methodKind }) => methodKind !== "unary")
    .map(({ parent, name }) => `/${parent.typeName}/${name}`),
);

/**
 * Creates gRPC's own services, health and reflection (v1, and v1alpha for older tools), in every protocol. They require
 * no token: the client is a probe or a developer's tool, and the response is in the published contract.
 */
export function createStandardServices(o: {
  /** The services that are listed. */
  readonly services: readonly DescService[];
  readonly isListed: (method: DescMethod) => boolean;
  readonly reflection: boolean;
  readonly healthOf: HealthOf;
  /** Ends the streams of watched health, and makes health NOT_SERVING. */
  readonly closing: AbortSignal;
}): AnswerStandard {
  const router = createConnectRouter({ readMaxBytes: standardMessageBytesMax, maxTimeoutMs: streamTimeoutMsMax });
  const names = o.services.filter((service) => service.methods.some(o.isListed)).map(({ typeName }) => typeName);
  router.service(health.Health, createHealth(names, o.healthOf, o.closing));
  if (o.reflection) addReflection(router, o);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return async (given, countQuestion = async () => undefined) => {
    const request = withPlainContentType(given);
    const handler = handlers.get(new URL(request.url).pathname);
    if (handler === undefined)
      return errorResponse(new CallError(callErrors.METHOD_UNKNOWN), callProtocolOf(request.header));
    const unknownVersion = versionRefusal(request);
    if (unknownVersion !== undefined) return errorResponse(unknownVersion, callProtocolOf(request.header));
    boundTimeout(request.header);
    const response = await handler({
      // Reflection is a stream in both directions. A client over HTTP/1.1 sends all messages first, which works too.
      httpVersion: "2.0",
      method: request.method,
      url: request.url,
      header: request.header,
      body: request.body ?? createAsyncIterable<Uint8Array>([]),
      signal: AbortSignal.any([request.signal ?? o.closing, o.closing]),
      contextValues: createContextValues().set(countKey, countQuestion),
    });
    return withHttpReason(clientResponse(response), handler.method);
  };
}

function addReflection(
  router: ReturnType<typeof createConnectRouter>,
  o: { readonly services: readonly DescService[]; readonly isListed: (method: DescMethod) => boolean },
): void {
  let created: ReturnType<typeof createReflection> | undefined;
  // Made for the first question: it serializes every file, which a start would wait for and most processes never use.
  const answer: ReturnType<typeof createReflection> = (question, sent) => {
    created ??= createReflection(
      [...o.services, ...own],
      (method) => own.includes(method.parent) || o.isListed(method),
    );
    return created(question, sent);
  };
  async function* answers<R extends Question>(requests: AsyncIterable<R>, { values }: HandlerContext) {
    const sent = new Set<string>();
    let asked = 0;
    for await (const originalRequest of requests) {
      asked += 1;
      // The first was counted as a call.
      if (asked > 1) await allowed(asked, values.get(countKey));
      const messageResponse: ReflectionAnswer = answer(originalRequest.messageRequest, sent);
      yield { validHost: originalRequest.host, originalRequest, messageResponse };
    }
  }
  router.service(reflection.ServerReflection, { serverReflectionInfo: answers });
  router.service(reflectionAlpha.ServerReflection, { serverReflectionInfo: answers });
}

async function allowed(asked: number, countQuestion: () => Promise<void>): Promise<void> {
  try {
    if (asked > reflectionQuestionsMax) throw new CallError(callErrors.RATE_LIMITED);
    await countQuestion();
  } catch (error) {
    throw toConnectError(toCallError(error));
  }
}

const countKey = createContextKey(async (): Promise<void> => undefined);

interface Question {
  readonly host: string;
  readonly messageRequest: ReflectionQuestion;
}
