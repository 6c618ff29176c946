import type { Database } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";
import type { App } from "../app.ts";
import type { ClientFactory } from "../clients.ts";
import type { Config } from "../config/config.ts";
import type { ServiceDefinition } from "../define-service.ts";
import type { Identity } from "../identity/identity.ts";
import type { Announcement } from "../startup-notice.ts";

/** Puts together what a service is given. */
export function createApp(o: {
  readonly definition: ServiceDefinition;
  readonly database: Database;
  readonly extras: ReadonlyMap<string, Database>;
  readonly clients: ClientFactory;
  readonly config: Config;
  readonly identity: Identity;
  readonly log: Logger;
  readonly wakeRelay: () => void;
  readonly announce: (announcement: Announcement) => void;
}): App {
  const { name, calls } = o.definition;
  const clients = Object.entries(calls).map(([key, service]) => [key, o.clients.of(service, name)] as const);
  return {
    name,
    database: o.database,
    extra(schema) {
      const database = o.extras.get(schema);
      if (database === undefined) throw new Error(`${name} did not declare the schema "${schema}"`);
      return database;
    },
    calls: Object.fromEntries(clients),
    log: o.log,
    config: o.config,
    signingKeys: o.identity.signingKeys,
    derivedKey: (purpose) => o.identity.derivedKey(`${name} ${purpose}`),
    now: () => new Date(),
    wakeRelay: o.wakeRelay,
    announce: o.announce,
  };
}
