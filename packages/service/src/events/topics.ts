import type { DescMessage } from "@bufbuild/protobuf";
import { type ServiceName, serviceNames } from "../service-name.ts";

/**
 * Returns the topics of a contract's event message, one for each value of its `kind`: "order.placed" for
 * `rialto.order.v1.OrderEvent` with KIND_PLACED.
 */
export function topicsOf(event: DescMessage): readonly string[] {
  const kinds = event.fields.find(({ localName }) => localName === "kind")?.enum?.values ?? [];
  const domain = event.typeName.split(".")[1];
  return kinds.filter(({ number }) => number !== 0).map(({ localName }) => `${domain}.${localName.toLowerCase()}`);
}

/** Throws for a topic that another service publishes by its name, or that no subscription could request. */
export function assertOwnTopics(service: ServiceName, topics: readonly string[]): void {
  const foreign = topics.find((topic) => publisherOf(topic) !== service);
  if (foreign !== undefined)
    throw new Error(`"${service}" cannot publish "${foreign}": its topics begin with "${service}."`);
}

/** Returns the service that publishes a topic: its first word. */
export function publisherOf(topic: string): ServiceName {
  const word = topic.split(".", 1)[0];
  const publisher = serviceNames.find((name) => name === word);
  if (publisher === undefined) throw new Error(`Topic "${topic}" does not begin with a service's name`);
  return publisher;
}
