import type { ExtensionIndex, SchemaSpec, TableRights } from "@rialto/database";
import type { Subscription } from "@rialto/events";
import type { Route } from "@rialto/rpc";
import type { App, Calls } from "./app.ts";
import type { Schedule } from "./schedules/schedule.ts";
import type { ServiceName } from "./service-name.ts";

/** What a service says of itself: its table of contents. */
export interface ServiceOptions<C extends Calls, Own extends object> {
  readonly name: ServiceName;
  /** The folder of the SQL files that drizzle-kit wrote. */
  readonly migrations: URL;
  /**
   * What the service may do with a table of its own where that is less than everything: `{ order_event: "append-only" }`. It is applied at
   * every start, after the migrations.
   */
  readonly rights?: Readonly<Record<string, TableRights>>;
  /** Indexes of its schema that an extension of Postgres makes possible. Nothing may need them: a server may not have it. */
  readonly indexes?: readonly ExtensionIndex[];
  /** Schemas beside its own, which no other service may see either: the simulated card network's ledger. */
  readonly extraSchemas?: readonly SchemaSpec[];
  readonly calls: C;
  /** What the service keeps for its life: stores, combiners, transports. It is merged into `app` for all that follows. */
  readonly own?: (app: App<C>) => Own | Promise<Own>;
  readonly rpc: (app: App<C> & Own) => readonly Route[];
  readonly subscriptions?: (app: App<C> & Own) => readonly Subscription[];
  readonly schedules?: (app: App<C> & Own) => readonly Schedule[];
  /** Fills a new database. It runs at every start, perhaps in two replicas at once: it must find what is there already. */
  readonly seed?: (app: App<C> & Own) => Promise<void>;
  /** Closes what `own` opened. Requests, workers and schedules have ended by then; the database is still open. */
  readonly stop?: (app: App<C> & Own) => Promise<void>;
}

/** A service that `runServices` can run, its types closed over. */
export interface ServiceDefinition {
  readonly name: ServiceName;
  /** Its own schema first, then the extra ones. */
  readonly schemas: readonly SchemaSpec[];
  readonly calls: Calls;
  open(app: App): Promise<OpenService>;
}

/** A service brought to life for one process. */
export interface OpenService {
  readonly routes: readonly Route[];
  readonly subscriptions: readonly Subscription[];
  readonly schedules: readonly Schedule[];
  seed(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Defines a service. What `own` returns is merged into `app`, typed, for `rpc`, `subscriptions`, `schedules`, `seed` and
 * `stop`; write `own` before them, because TypeScript reads the literal from top to bottom.
 *
 *     export const order = defineService({
 *       name: "order",
 *       migrations: new URL("../migrations", import.meta.url),
 *       calls: { users: UserService },
 *       own: (app) => ({ orders: createOrderStore(app) }),
 *       rpc: (app) => [serve(OrderService, orders(app))],
 *     });
 */
export function defineService<const C extends Calls, Own extends object = object>(
  o: ServiceOptions<C, Own>,
): ServiceDefinition {
  return {
    name: o.name,
    schemas: [
      { name: o.name, migrations: o.migrations, rights: o.rights ?? {}, indexes: o.indexes ?? [] },
      ...(o.extraSchemas ?? []),
    ],
    calls: o.calls,
    async open(untyped) {
      // The runner makes exactly one client for each entry of `calls`, which is what App<C> says.
      const base = untyped as App<C>;
      // A service without `own` has Own = object, which every App is.
      const own = (await o.own?.(base)) ?? ({} as Own);
      const app = Object.assign(base, own);
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
