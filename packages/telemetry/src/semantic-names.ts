// The names of OpenTelemetry's semantic conventions that Rialto writes, all of them, in one file: those of messaging
// still change from version to version. `test/semantic-names.test.ts` compares each with the published conventions.

/** Attributes of a resource: the process and the service. */
export const processNames = {
  serviceName: "service.name",
  serviceNamespace: "service.namespace",
  serviceInstanceId: "service.instance.id",
  environment: "deployment.environment.name",
  hostName: "host.name",
  processId: "process.pid",
  runtimeName: "process.runtime.name",
  runtimeVersion: "process.runtime.version",
} as const;

/** Attributes of any span. */
export const spanNames = {
  /** A word from a short list, never a text. */
  errorType: "error.type",
} as const;

/** Attributes of the gateway's spans. */
export const httpNames = {
  method: "http.request.method",
  /** A path template or a procedure, never a path. */
  route: "http.route",
  status: "http.response.status_code",
} as const;

/** Attributes of calls between services. */
export const rpcNames = {
  system: "rpc.system.name",
  /** "rialto.order.v1.OrderService/CreateOrder". */
  method: "rpc.method",
  status: "rpc.response.status_code",
} as const;

/** Attributes of statements. There is no name for a parameter: none is written. */
export const databaseNames = {
  system: "db.system.name",
  /** The database and the schema: "rialto|order". */
  namespace: "db.namespace",
  /** "SELECT order". */
  summary: "db.query.summary",
  /** The statement with its placeholders. */
  text: "db.query.text",
  operation: "db.operation.name",
  batchSize: "db.operation.batch.size",
  /** The SQLSTATE of a failure. */
  status: "db.response.status_code",
} as const;

/** Attributes of the gauges of a pool of connections. */
export const poolNames = {
  /** "order", "order writers". */
  name: "db.client.connection.pool.name",
  state: "db.client.connection.state",
} as const;

/** Attributes of events on their way from the outbox through the queue to a subscription. */
export const messagingNames = {
  system: "messaging.system.name",
  /** "send", "process". */
  operation: "messaging.operation.name",
  operationType: "messaging.operation.type",
  /** The topic. */
  destination: "messaging.destination.name",
  subscription: "messaging.destination.subscription.name",
  messageId: "messaging.message.id",
  batchSize: "messaging.batch.message_count",
} as const;

/** Attributes of our own, for which there is no convention. */
export const rialtoNames = {
  requestId: "rialto.request.id",
  orderId: "rialto.order.id",
  userId: "rialto.user.id",
  /** The step of an order's checkout. */
  step: "rialto.checkout.step",
  mailKind: "rialto.mail.kind",
  /** Why a span is here whose trace was not sampled: "failure". */
  sampledBy: "rialto.sampled_by",
} as const;

/** The name of an event's subject, which its topic begins with: "rialto.order.id" for "order.placed". */
export function subjectName(topic: string): string {
  return `rialto.${topic.split(".", 1)[0]}.id`;
}

export const rpcSystem = { connect: "connectrpc", grpc: "grpc" } as const;
export const postgresSystem = "postgresql";
export const connectionInUse = "used";
/** BullMQ on Redis or on Postgres. The conventions know neither. */
export const messagingSystem = "bullmq";
export const messagingOperations = { send: "send", process: "process", receive: "receive" } as const;
