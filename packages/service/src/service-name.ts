/** The services, in start order. */
export const serviceNames = ["user", "product", "order", "payment", "notification"] as const;

export type ServiceName = (typeof serviceNames)[number];

/** The possible callers of a service, each with a key of its own: the gateway and the services. */
export const callerNames = ["gateway", ...serviceNames] as const;

export type CallerName = (typeof callerNames)[number];

/** The port of each as a process of its own, if PORT is not set. */
export const defaultPorts: Readonly<Record<CallerName, number>> = {
  gateway: 8080,
  user: 8081,
  product: 8082,
  order: 8083,
  payment: 8084,
  notification: 8085,
};

/** Returns the service that owns a proto service: "order" for "rialto.order.v1.OrderService". */
export function ownerOf(service: { readonly typeName: string }): ServiceName {
  const domain = service.typeName.split(".")[1];
  const name = serviceNames.find((candidate) => candidate === domain);
  if (name === undefined) throw new Error(`${service.typeName} belongs to no service`);
  return name;
}
