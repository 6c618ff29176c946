import { readFile } from "node:fs/promises";
import type { TlsCredentials } from "@rialto/http";
import {
  addressBlocks,
  backendAddresses,
  ConfigurationError,
  isTooWide,
  nameList,
  oneOf,
  origins,
  seconds,
  text,
  type Values,
  variable,
  wholeNumber,
} from "@rialto/service/config";

const none = { default: [], without: "none" } as const;

/** What the gateway reads from the environment, beside what every process does. */
export const gatewayVariables = {
  rateLimit: variable("RIALTO_RATE_LIMIT", wholeNumber(0, 1_000_000_000), { default: 100 }),
  rateLimitWindowSeconds: variable("RIALTO_RATE_LIMIT_WINDOW", seconds, { default: 900, without: "`15m`" }),
  inFlightMax: variable("RIALTO_IN_FLIGHT_MAX", wholeNumber(1, 1_000_000), { without: "`1000`" }),
  clientConnectionsMax: variable("RIALTO_CLIENT_CONNECTIONS_MAX", wholeNumber(1, 1_000_000), { without: "`500`" }),
  corsOrigins: variable("RIALTO_CORS_ORIGINS", origins, none),
  trustedProxies: variable("RIALTO_TRUSTED_PROXIES", addressBlocks, {
    ...none,
    without: "none: the connection's address counts",
    refuse: (blocks) =>
      blocks.some(isTooWide)
        ? "must name the proxies' own networks: everybody in a block as wide as this could write any client address"
        : undefined,
  }),
  backendAddresses,
  forwardedHeader: variable("RIALTO_FORWARDED_HEADER", oneOf("forwarded", "x-forwarded-for"), {
    default: "x-forwarded-for",
  }),
  baggageNames: variable("RIALTO_BAGGAGE_NAMES", nameList, none),
  tlsCertFile: variable("RIALTO_TLS_CERT", text, { without: "cleartext" }),
  tlsKeyFile: variable("RIALTO_TLS_KEY", text, { without: "cleartext" }),
};

export type GatewayConfig = Values<typeof gatewayVariables>;

/** Reads the gateway's certificate and key. Undefined if neither is set: a proxy terminates TLS. */
export async function readTls(
  config: Pick<GatewayConfig, "tlsCertFile" | "tlsKeyFile">,
): Promise<TlsCredentials | undefined> {
  const { tlsCertFile, tlsKeyFile } = config;
  if (tlsCertFile === undefined && tlsKeyFile === undefined) return undefined;
  const cert = await readPem("RIALTO_TLS_CERT", tlsCertFile);
  return { cert, key: await readPem("RIALTO_TLS_KEY", tlsKeyFile) };
}

async function readPem(variable: string, file: string | undefined): Promise<string> {
  if (file === undefined)
    throw new ConfigurationError([`${variable} must be set: TLS needs a certificate and its key`]);
  const content = await readFile(file, "utf8").catch(() => undefined);
  if (content?.includes("-----BEGIN ") !== true)
    throw new ConfigurationError([`${variable} must be the path of a file in PEM that can be read`]);
  return content;
}
