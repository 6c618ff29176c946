import type { DescService } from "@bufbuild/protobuf";
import type { Database } from "@rialto/database";
import type { Client } from "@rialto/rpc";
import type { Logger, Metrics } from "@rialto/telemetry";
import type { ClientFactory } from "./clients.ts";
import type { Config } from "./config/config.ts";
import type { Values, Variables } from "./config/variable.ts";
import type { Identity } from "./identity/identity.ts";
import type { ServiceName } from "./service-name.ts";
import type { StartupNotice } from "./startup-notice.ts";

/** The services that a service calls, by the name it calls them by: `{ users: UserService }`. */
export type Calls = Readonly<Record<string, DescService>>;

/** Typed clients for `Calls`: in-process where the service runs in this process, over HTTP otherwise. */
export type Clients<C extends Calls> = { readonly [K in keyof C]: Client<C[K]> };

/** The dependencies of a service: its data, the services that it calls, and the process around it. */
export interface App<C extends Calls = Calls, V extends Variables = Record<never, never>> {
  readonly name: ServiceName;
  /** The service's own schema. */
  readonly database: Database;
  /** The databases of `extraSchemas`, by name. Asking for one that was not declared throws. */
  extra(name: string): Database;
  readonly calls: Clients<C>;
  readonly log: Logger;
  /** Undefined where nobody reads them. */
  readonly metrics?: Metrics | undefined;
  /** What every process reads from the environment, and what this service declares. */
  readonly config: Config & Values<V>;
  /**
   * Derives a key for one purpose from the installation's secret, for hashes and signatures that only this service
   * checks.
   */
  derivedKey(purpose: string): string;
  now(): Date;
  /** Wakes the relay after a commit that wrote to the outbox, unless nobody wants these topics. */
  wakeRelay(topics?: readonly string[]): void;
  /**
   * Adds a notice for the person who started the process. It is printed and never logged: it may hold a generated
   * password.
   */
  addStartupNotice(notice: StartupNotice): void;
}

/** Creates the `App` of one service. */
export function createApp(o: {
  readonly definition: { readonly name: ServiceName; readonly calls: Calls };
  readonly database: Database;
  readonly extras: ReadonlyMap<string, Database>;
  readonly clients: ClientFactory;
  readonly config: Config;
  readonly identity: Identity;
  readonly log: Logger;
  readonly metrics: Metrics | undefined;
  readonly wakeRelay: (topics?: readonly string[]) => void;
  readonly addStartupNotice: (notice: StartupNotice) => void;
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
    metrics: o.metrics,
    config: o.config,
    derivedKey: (purpose) => o.identity.derivedKey(`${name} ${purpose}`),
    now: () => new Date(),
    wakeRelay: o.wakeRelay,
    addStartupNotice: o.addStartupNotice,
  };
}
