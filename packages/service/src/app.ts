import type { DescService } from "@bufbuild/protobuf";
import type { Database } from "@rialto/database";
import type { Client } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import type { Config } from "./config/config.ts";
import type { SigningKeys } from "./identity/signing-keys.ts";
import type { ServiceName } from "./service-name.ts";
import type { Announcement } from "./startup-notice.ts";

/** The services that a service calls, by the name it calls them by: `{ users: UserService }`. */
export type Calls = Readonly<Record<string, DescService>>;

/** Typed clients for `Calls`: a function call where the service runs in this process, the network where it does not. */
export type Clients<C extends Calls> = { readonly [K in keyof C]: Client<C[K]> };

/** What a service is given: its data, those it calls, and the process around it. */
export interface App<C extends Calls = Calls> {
  readonly name: ServiceName;
  /** The service's own schema. */
  readonly database: Database;
  /** The databases of `extraSchemas`, by name. Asking for one that was not declared throws. */
  extra(name: string): Database;
  readonly calls: Clients<C>;
  readonly log: Logger;
  readonly config: Config;
  /** The keys of access tokens as they are now. Only the user service asks for them, each time anew. */
  signingKeys(): Promise<SigningKeys>;
  /** A key for one purpose, derived from the process' secret: to hash or to sign what this service alone checks again. */
  derivedKey(purpose: string): string;
  now(): Date;
  /** Tells the relay that a commit left something in the outbox. */
  wakeRelay(): void;
  /** Tells the person who started the process something at this start, outside the logs: the password of the account just made. */
  announce(announcement: Announcement): void;
}
