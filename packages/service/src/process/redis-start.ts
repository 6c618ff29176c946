import { sleep } from "@rialto/async";
import { Redis } from "ioredis";
import { ConfigurationError } from "../config/variable.ts";

/** A schema and its installation, which the database stores. */
export interface InstallationMark {
  readonly schema: string;
  readonly installation: string;
}

/** How long the start waits for a Redis that does not answer yet. One that answers wrongly fails at once. */
const reachMsMax = 30_000;
const retryMs = 500;
const connectMsMax = 5_000;
/** The key that stores which installation owns the keys of older versions. */
const oldPrefixMark = "rialto-old-prefix:installation";

/**
 * Checks that Redis can be used: it answers, accepts our credentials, and its keys under the prefix belong to this
 * installation. The first start stores the installation of each schema there; another installation is refused. Throws
 * `ConfigurationError` with one line that says what to change. Returns whether this installation owns the keys under
 * the prefix of older versions and has to drain them.
 */
export async function requireRedis(o: {
  readonly redisUrl: string;
  readonly redisPrefix: string;
  readonly marks?: readonly InstallationMark[];
  /** An older version created the schemas, so it may have left jobs under the old prefix. */
  readonly ofOlderVersion?: boolean;
  readonly reachMs?: number;
}): Promise<{ readonly ownsOldPrefix: boolean }> {
  const { marks = [], redisPrefix } = o;
  const redis = await reach(o.redisUrl, o.reachMs ?? reachMsMax);
  try {
    const foreign = await firstForeign(redis, `${redisPrefix}:installation`, marks);
    if (foreign !== undefined)
      throw new ConfigurationError([
        `REDIS_URL: what is under ${redisPrefix} in this Redis is of another installation (its schema "${foreign}" is in another database). Set RIALTO_INSTALLATION to a name of this one's own, the same in all its processes; where the other is gone, run npm run jobs:reset -- --take-over`,
      ]);
    const ownsOldPrefix = o.ofOlderVersion === true && (await firstForeign(redis, oldPrefixMark, marks)) === undefined;
    return { ownsOldPrefix };
  } finally {
    redis.disconnect();
  }
}

/** Removes the stored installation of the prefix, so that the next start can claim its keys. */
export async function takeOverRedis(o: { readonly redisUrl: string; readonly redisPrefix: string }): Promise<void> {
  const redis = await reach(o.redisUrl, reachMsMax);
  try {
    await redis.del(`${o.redisPrefix}:installation`);
  } finally {
    redis.disconnect();
  }
}

/**
 * Returns the first schema that the key assigns to another installation. If there is none, stores all marks, in the
 * same atomic step.
 */
async function firstForeign(
  redis: Redis,
  key: string,
  marks: readonly InstallationMark[],
): Promise<string | undefined> {
  const foreign = await redis.eval(
    markUnlessForeign,
    1,
    key,
    ...marks.flatMap(({ schema, installation }) => [schema, installation]),
  );
  return typeof foreign === "string" ? foreign : undefined;
}

/** Takes pairs of schema and installation. Returns the first schema of another installation. */
const markUnlessForeign = `
for i = 1, #ARGV, 2 do
  local found = redis.call("HGET", KEYS[1], ARGV[i])
  if found and found ~= ARGV[i + 1] then return ARGV[i] end
end
for i = 1, #ARGV, 2 do redis.call("HSET", KEYS[1], ARGV[i], ARGV[i + 1]) end
return false`;

async function reach(url: string, reachMs: number): Promise<Redis> {
  for (const until = performance.now() + reachMs; ; ) {
    const { redis, failure } = await tryOnce(url);
    if (redis !== undefined) return redis;
    const line = explain(failure);
    if (!line.mayPass || performance.now() >= until) throw new ConfigurationError([`REDIS_URL: ${line.text}`]);
    await sleep(retryMs);
  }
}

async function tryOnce(url: string): Promise<{ redis?: Redis; failure?: unknown }> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: connectMsMax,
    commandTimeout: connectMsMax,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let said: unknown;
  // The first error has the reason. The following ones only say that the connection was closed.
  redis.on("error", (error) => {
    said ??= error;
  });
  try {
    await redis.connect();
    await redis.ping();
    return { redis };
  } catch (error) {
    redis.disconnect();
    return { failure: said ?? error };
  }
}

function explain(failure: unknown): { readonly text: string; readonly mayPass: boolean } {
  const message = failure instanceof Error ? failure.message : String(failure);
  const code = failure instanceof Error && "code" in failure ? String(failure.code) : "";
  if (/WRONGPASS|NOAUTH|invalid password|NOPERM|without any password/i.test(message))
    return { text: "Redis refuses the user or the password, or asks for one that is not there.", mayPass: false };
  if (/^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|HOSTNAME_MISMATCH)/.test(code))
    return {
      text: `the certificate of Redis is not trusted (${code}). Set NODE_EXTRA_CA_CERTS to the file of the authority that signed it.`,
      mayPass: false,
    };
  if (/^(ERR_SSL_|EPROTO)/.test(code))
    return { text: `there is no TLS at this port (${code}). Use redis://, or the port of TLS.`, mayPass: false };
  if (code === "ENOTFOUND") return { text: "the host is not known.", mayPass: true };
  if (/Protocol error|ParserError/i.test(message)) return { text: "what answers there is no Redis.", mayPass: false };
  return {
    text: `Redis does not answer (${code || message}). Check host and port, and use rediss:// where it asks for TLS.`,
    mayPass: true,
  };
}
