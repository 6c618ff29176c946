import type { DescService } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { AuthService } from "@rialto/contracts";
import {
  backgroundContext,
  type Client,
  type ClientTarget,
  createClient,
  createUpstream,
  type EndedSession,
  type Endpoint,
  type ServiceStatus,
  type Upstream,
} from "@rialto/rpc";
import type { Logger, Metrics } from "@rialto/telemetry";
import type { JSONWebKeySet } from "jose";
import type { Config } from "./config/config.ts";
import { ConfigurationError } from "./config/variable.ts";
import type { Identity } from "./identity/identity.ts";
import { type CallerName, defaultPorts, ownerOf, type ServiceName, serviceNames } from "./service-name.ts";

/** Creates the clients of a process: in-process for the services that it runs, over HTTP for the others. */
export interface ClientFactory {
  /** Returns a client of a proto service. `at` names the service to ask where several serve the same contract. */
  of<S extends DescService>(service: S, caller: CallerName, at?: ServiceName): Client<S>;
  /**
   * Returns the upstream of a service, for a proxy. All clients of the service share it and its view of the replicas.
   */
  upstream(name: string): Upstream;
  /** Returns where a service runs, for a proxy that calls it with messages. Calls share its upstream. */
  target(name: string): ClientTarget;
  /** Returns the status of the replicas of each service that is called over HTTP. */
  status(): readonly ServiceStatus[];
  /** Closes the connections. */
  close(): void;
}

export function createClientFactory(o: {
  readonly config: Config;
  readonly identity: Identity;
  /**
   * The services of this process. An entry may be added after its client was created: it is looked up at the first
   * call.
   */
  readonly endpoints: ReadonlyMap<ServiceName, Endpoint>;
  readonly runsHere: readonly ServiceName[];
  /** Where changes of a service's addresses are logged. */
  readonly log: Logger;
  /** Counts the retries of calls. Nothing is counted without it. */
  readonly metrics?: Metrics | undefined;
}): ClientFactory {
  const endpointOf = (name: ServiceName) => {
    const endpoint = o.endpoints.get(name);
    if (endpoint === undefined) throw new Error(`${name} was called before it was open`);
    return endpoint;
  };
  const upstreams = new Map<ServiceName, Upstream>();
  const nameOf = (service: string) => {
    const name = serviceNames.find((candidate) => candidate === service);
    if (name === undefined) throw new Error(`the contract names a service that does not exist: ${service}`);
    return name;
  };
  const upstream = (service: string) => {
    const name = nameOf(service);
    const known = upstreams.get(name);
    if (known !== undefined) return known;
    const made = createUpstream(
      o.runsHere.includes(name)
        ? { kind: "local", endpoint: () => endpointOf(name) }
        : { kind: "remote", urls: urlsOf(o.config, name), log: o.log, onRetry: countRetries(o.metrics, name) },
    );
    upstreams.set(name, made);
    return made;
  };
  const target = (service: string): ClientTarget => {
    const name = nameOf(service);
    if (o.runsHere.includes(name))
      return { kind: "local", endpoint: () => endpointOf(name), checksMessages: o.config.checksMessages };
    return { kind: "remote", upstream: upstream(name) };
  };
  return {
    of(service, caller, at = ownerOf(service)) {
      const persons = caller === "gateway" ? { persons: o.identity.personTokens() } : {};
      return createClient(service, target(at), { caller, target: at, tokens: o.identity.tokensOf(caller), ...persons });
    },
    upstream,
    target,
    status: () => [...upstreams].map(([service, made]) => ({ service, replicas: made.status() })),
    close: () => {
      for (const made of upstreams.values()) made.close();
    },
  };
}

/** Returns the count of the further attempts of calls to one service. */
function countRetries(metrics: Metrics | undefined, upstream: ServiceName): (() => void) | undefined {
  const retries = metrics
    ?.counter({
      name: "rialto.upstream.retries",
      unit: "{attempt}",
      description: "Further attempts of calls that another replica, or the same one before, did not answer",
    })
    .with({ upstream });
  return retries && (() => retries.add());
}

/**
 * Returns the URLs of a service. In development the default ports of this machine stand in for missing ones.
 */
function urlsOf(config: Config, name: ServiceName): readonly string[] {
  const urls = config.serviceUrls[name];
  if (urls !== undefined) return urls;
  if (config.production)
    throw new ConfigurationError([
      `RIALTO_${name.toUpperCase()}_URL must be set: the service does not run in this process`,
    ]);
  return [`http://127.0.0.1:${defaultPorts[name]}`];
}

/**
 * Returns a function that fetches the public keys of access tokens from the user service. A token verifier calls it
 * when it meets an unknown key. Each answer also says whether all services accept the gateway's tokens for people:
 * `onGatewayTokens` receives it.
 */
export function accessKeysFrom(
  client: Client<typeof AuthService>,
  onGatewayTokens: (areAccepted: boolean) => void = () => undefined,
): () => Promise<JSONWebKeySet> {
  return async () => {
    const { keys, gatewayTokens } = await client.getJsonWebKeySet({}, backgroundContext({}));
    onGatewayTokens(gatewayTokens);
    return { keys: keys.map(({ kty, crv, x, kid, alg, use }) => ({ kty, crv, x, kid, alg, use })) };
  };
}

/**
 * Returns a function that fetches all pages of the ended sessions from the user service. `watchRevocations` calls it
 * every few seconds.
 */
export function endedSessionsFrom(
  client: Client<typeof AuthService>,
): (since: Date | undefined, signal: AbortSignal) => Promise<readonly EndedSession[]> {
  return async (since, signal) => {
    const all: EndedSession[] = [];
    const context = backgroundContext({ signal });
    for (let pageToken = ""; ; ) {
      const request = { pageToken, ...(since === undefined ? {} : { since: timestampFromDate(since) }) };
      const { revocations, nextPageToken } = await client.listRevocations(request, context);
      for (const { sessionId, time } of revocations)
        all.push({ sessionId, time: time === undefined ? new Date(0) : timestampDate(time) });
      if (nextPageToken === "") return all;
      pageToken = nextPageToken;
    }
  };
}
