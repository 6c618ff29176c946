/** Headers, errors and requests, as the suite's messages hold them and as connect-es does. */
import { create, createRegistry, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { type Any, AnySchema, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import type { ClientCompatRequest } from "./gen/connectrpc/conformance/v1/client_compat_pb.js";
import {
  BidiStreamRequestSchema,
  ClientStreamRequestSchema,
  ConformancePayload_RequestInfoSchema,
  ErrorSchema,
  type Error as ErrorValue,
  type Header,
  HeaderSchema,
  IdempotentUnaryRequestSchema,
  ServerStreamRequestSchema,
  UnaryRequestSchema,
} from "./gen/connectrpc/conformance/v1/service_pb.js";

/** The messages that stand in a google.protobuf.Any, which JSON can write only by their descriptors. */
export const jsonOptions = {
  registry: createRegistry(
    UnaryRequestSchema,
    ServerStreamRequestSchema,
    ClientStreamRequestSchema,
    BidiStreamRequestSchema,
    IdempotentUnaryRequestSchema,
  ),
};

const detailsRegistry = createRegistry(ConformancePayload_RequestInfoSchema);

export function headerValues(headers: Headers): Header[] {
  return [...headers].map(([name, value]) => create(HeaderSchema, { name, value: [value] }));
}

export function appendHeaders(headers: Headers, values: readonly Header[]): Headers {
  for (const { name, value } of values) for (const one of value) headers.append(name, one);
  return headers;
}

/** What a handler throws where a request asks for this error. */
export function toConnectError(error: ErrorValue): ConnectError {
  const details = error.details.map((any) => {
    const value = anyUnpack(any, detailsRegistry);
    if (value === undefined) throw new Error(`cannot unpack ${any.typeUrl}`);
    return { desc: ConformancePayload_RequestInfoSchema, value };
  });
  // The suite's codes are numbered as gRPC's are, and so are connect-es'.
  return new ConnectError(error.message ?? "", error.code as number, undefined, details);
}

export function toErrorValue(error: ConnectError): ErrorValue {
  const details = error.details.map(
    (detail): Any =>
      "desc" in detail
        ? anyPack(detail.desc, create(detail.desc, detail.value))
        : create(AnySchema, { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value }),
  );
  return create(ErrorSchema, { code: error.code as number, message: error.rawMessage, details });
}

/** The messages that a client is told to send. Throws where one is not of this type. */
export function* requestMessages<T extends DescMessage>(
  request: ClientCompatRequest,
  schema: T,
): Generator<MessageShape<T>> {
  for (const any of request.requestMessages) {
    const message = anyUnpack(any, schema);
    if (message === undefined) throw new Error(`${any.typeUrl} is no ${schema.typeName}`);
    yield message;
  }
}

/** The one message that a client is told to send. */
export function requestMessage<T extends DescMessage>(request: ClientCompatRequest, schema: T): MessageShape<T> {
  const [message, ...more] = requestMessages(request, schema);
  if (message === undefined || more.length > 0) throw new Error("one request message is needed");
  return message;
}
