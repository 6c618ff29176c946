import type { DescService } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { AuthService } from "@rialto/contracts";
import {
  type ByteUpstream,
  type Client,
  createByteUpstream,
  createClient,
  type EndedSession,
  type Endpoint,
  type ServiceStanding,
  workOrigin,
} from "@rialto/rpc";
import type { JSONWebKeySet } from "jose";
import type { Config } from "./config/config.ts";
import { ConfigurationError } from "./config/configuration-error.ts";
import type { Identity } from "./identity/identity.ts";
import { type CallerName, defaultPorts, ownerOf, type ServiceName, serviceNames } from "./service-name.ts";

/** Makes the clients of a process: a function call for what runs in it, the network for the rest. */
export interface ClientFactory {
  /** A client of a proto service, or of what another service serves under the same contract (`at`). */
  of<S extends DescService>(service: S, caller: CallerName, at?: ServiceName): Client<S>;
  /** The way to a service for whoever passes bytes on. All clients of a service share it, and what it knows of its replicas. */
  upstream(name: string): ByteUpstream;
  /** How the replicas of each service that is called over the network stand. */
  standing(): readonly ServiceStanding[];
  /** Closes the connections. */
  close(): void;
}

export function createClientFactory(o: {
  readonly config: Config;
  readonly identity: Identity;
  /** Those that run here. They may open after the client was made: it asks at the first call. */
  readonly endpoints: ReadonlyMap<ServiceName, Endpoint>;
  readonly runsHere: readonly ServiceName[];
}): ClientFactory {
  const endpointOf = (name: ServiceName) => {
    const endpoint = o.endpoints.get(name);
    if (endpoint === undefined) throw new Error(`${name} was called before it was open`);
    return endpoint;
  };
  const upstreams = new Map<ServiceName, ByteUpstream>();
  const upstream = (service: string) => {
    const name = serviceNames.find((candidate) => candidate === service);
    if (name === undefined) throw new Error(`the contract names a service that does not exist: ${service}`);
    const known = upstreams.get(name);
    if (known !== undefined) return known;
    const target = o.runsHere.includes(name)
      ? ({ kind: "local", endpoint: () => endpointOf(name) } as const)
      : ({ kind: "remote", urls: urlsOf(o.config, name) } as const);
    const made = createByteUpstream(target);
    upstreams.set(name, made);
    return made;
  };
  return {
    of(service, caller, at = ownerOf(service)) {
      const target = o.runsHere.includes(at)
        ? ({ kind: "local", endpoint: () => endpointOf(at) } as const)
        : ({ kind: "remote", upstream: upstream(at) } as const);
      const persons = caller === "gateway" ? { persons: o.identity.personTokens() } : {};
      return createClient(service, target, { caller, target: at, tokens: o.identity.tokensOf(caller), ...persons });
    },
    upstream,
    standing: () => [...upstreams].map(([service, made]) => ({ service, replicas: made.status() })),
    close: () => {
      for (const made of upstreams.values()) made.close();
    },
  };
}

/** Where the replicas of a service are. A developer's processes find each other on the default ports of this machine. */
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
 * Asks the user service for the public keys of access tokens: what a token verifier calls when it meets a key it does not know. `onGatewayTokens` is
 * called with whether all services take the gateway's own tokens for people, each time that the user service has said so.
 */
export function accessKeysFrom(
  client: Client<typeof AuthService>,
  onGatewayTokens: (areTaken: boolean) => void = () => undefined,
): () => Promise<JSONWebKeySet> {
  return async () => {
    const { keys, gatewayTokens } = await client.getJsonWebKeySet({}, workOrigin({}));
    onGatewayTokens(gatewayTokens);
    return { keys: keys.map(({ kty, crv, x, kid, alg, use }) => ({ kty, crv, x, kid, alg, use })) };
  };
}

/** Asks the user service for the sessions that have ended, all pages: what `watchRevocations` calls every few seconds. */
export function endedSessionsFrom(
  client: Client<typeof AuthService>,
): (since: Date | undefined, signal: AbortSignal) => Promise<readonly EndedSession[]> {
  return async (since, signal) => {
    const all: EndedSession[] = [];
    const origin = workOrigin({ signal });
    for (let pageToken = ""; ; ) {
      const request = { pageToken, ...(since === undefined ? {} : { since: timestampFromDate(since) }) };
      const { revocations, nextPageToken } = await client.listRevocations(request, origin);
      for (const { sessionId, time } of revocations)
        all.push({ sessionId, time: time === undefined ? new Date(0) : timestampDate(time) });
      if (nextPageToken === "") return all;
      pageToken = nextPageToken;
    }
  };
}
