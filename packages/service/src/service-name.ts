/** The five services, in the order in which they are started and named in texts. */
export const serviceNames = ["user", "product", "order", "payment", "notification"] as const;

export type ServiceName = (typeof serviceNames)[number];

/** Who holds a key of its own and can be named as the caller of a service: the services and the gateway. */
export const callerNames = ["gateway", ...serviceNames] as const;

export type CallerName = (typeof callerNames)[number];

/** Where each listens when it is a process of its own and PORT does not say otherwise. */
export const defaultPorts: Readonly<Record<CallerName, number>> = {
  gateway: 8080,
  user: 8081,
  product: 8082,
  order: 8083,
  payment: 8084,
  notification: 8085,
};

/** Which service serves a proto service, by the domain in its full name: "rialto.order.v1.OrderService" is of "order". */
export function ownerOf(service: { readonly typeName: string }): ServiceName {
  const domain = service.typeName.split(".")[1];
  const name = serviceNames.find((candidate) => candidate === domain);
  if (name === undefined) throw new Error(`${service.typeName} belongs to no service`);
  return name;
}
