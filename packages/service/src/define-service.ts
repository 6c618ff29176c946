import type { ExtensionIndex, SchemaSpec, TableRights } from "@rialto/database";
import type { Subscription } from "@rialto/events";
import type { Route } from "@rialto/rpc";
import type { App, Calls } from "./app.ts";
import type { Variables } from "./config/variable.ts";
import { assertOwnTopics } from "./events/topics.ts";
import type { Schedule } from "./schedules/schedule.ts";
import type { ServiceName } from "./service-name.ts";

/** The declaration of a service: its table of contents. */
export interface ServiceOptions<C extends Calls, V extends Variables, Resources extends object> {
  readonly name: ServiceName;
  /** The folder of the SQL files that drizzle-kit wrote. */
  readonly migrations: URL;
  /**
   * Restricts the service's rights on a table of its own: `{ order_event: "append-only" }`. Applied at every start,
   * after the migrations.
   */
  readonly rights?: Readonly<Record<string, TableRights>>;
  /** Indexes that need an extension of Postgres. They are optional: a server may not have the extension. */
  readonly indexes?: readonly ExtensionIndex[];
  /** Further schemas that only this service sees: the simulated card network's ledger. */
  readonly extraSchemas?: readonly SchemaSpec[];
  /** The environment variables that it reads, beside those of every process. Their values are in `app.config`. */
  readonly config?: V;
  readonly calls: C;
  /**
   * Creates what the service keeps while it runs: stores, batchers, transports. It is merged into `app` for the members
   * below.
   */
  readonly setup?: (app: App<C, V>) => Resources | Promise<Resources>;
  readonly rpc: (app: App<C, V> & Resources) => readonly Route[];
  /**
   * The topics that it publishes; none if left out. Only then does a relay run. `topicsOf` returns those of a
   * contract's event message. Publishing another topic throws.
   */
  readonly publishes?: readonly string[];
  /** What it subscribes to. Without it there is no inbox. */
  readonly subscriptions?: (app: App<C, V> & Resources) => readonly Subscription[];
  readonly schedules?: (app: App<C, V> & Resources) => readonly Schedule[];
  /** Fills a new database. Runs at every start, perhaps in two replicas at once, so it must be idempotent. */
  readonly seed?: (app: App<C, V> & Resources) => Promise<void>;
  /** Closes what `setup` opened. Requests, workers and schedules have ended by then; the database is still open. */
  readonly stop?: (app: App<C, V> & Resources) => Promise<void>;
}

/** A service that `runServices` can run. Its type parameters are closed over. */
export interface ServiceDefinition {
  readonly name: ServiceName;
  /** Its own schema first, then the extra ones. */
  readonly schemas: readonly SchemaSpec[];
  /** The variables that it declares. */
  readonly config: Variables;
  readonly calls: Calls;
  readonly publishes: readonly string[];
  /** Whether it has subscriptions. */
  readonly subscribes: boolean;
  open(app: App): Promise<OpenService>;
}

/** A service that was opened in one process. */
export interface OpenService {
  readonly routes: readonly Route[];
  readonly subscriptions: readonly Subscription[];
  readonly schedules: readonly Schedule[];
  seed(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Defines a service. The result of `setup` is merged into `app`, typed, for `rpc`, `subscriptions`, `schedules`, `seed`
 * and `stop`. Write `setup` before them: TypeScript infers the literal from top to bottom.
 *
 *     export const order = defineService({
 *       name: "order",
 *       migrations: new URL("../migrations", import.meta.url),
 *       calls: { users: UserService },
 *       setup: (app) => ({ orders: createOrderStore(app) }),
 *       rpc: (app) => [serve(OrderService, orders(app))],
 *     });
 */
export function defineService<
  const C extends Calls,
  V extends Variables = Record<never, never>,
  Resources extends object = object,
>(o: ServiceOptions<C, V, Resources>): ServiceDefinition {
  const publishes = o.publishes ?? [];
  assertOwnTopics(o.name, publishes);
  return {
    name: o.name,
    schemas: [
      { name: o.name, migrations: o.migrations, rights: o.rights ?? {}, indexes: o.indexes ?? [] },
      ...(o.extraSchemas ?? []),
    ],
    config: o.config ?? {},
    calls: o.calls,
    publishes,
    subscribes: o.subscriptions !== undefined,
    async open(untyped) {
      // `createApp` makes one client for each entry of `calls`, which is what App<C, V> states.
      const config = { ...untyped.config, ...untyped.config.read(o.config ?? {}) };
      const base = { ...untyped, config } as App<C, V>;
      // A service without `setup` has Resources = object, which every App is.
      const resources = (await o.setup?.(base)) ?? ({} as Resources);
      const app = Object.assign(base, resources);
      return {
        routes: o.rpc(app),
        subscriptions: o.subscriptions?.(app) ?? [],
        schedules: o.schedules?.(app) ?? [],
        seed: async () => o.seed?.(app),
        stop: async () => o.stop?.(app),
      };
    },
  };
}
