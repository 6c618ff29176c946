import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { ConfigurationError } from "../config/configuration-error.ts";

/** A schema and the installation that it is of, which its database remembers. */
export interface InstallationMark {
  readonly schema: string;
  readonly installation: string;
}

/** A Redis that is about to start is waited for; one that answers wrongly is not. */
const reachMsMax = 30_000;
const retryMs = 500;
const connectMsMax = 5_000;
/** Where it is written down which installation the keys of older versions belong to. */
const oldPrefixMark = "rialto-old-prefix:installation";

/**
 * Makes sure that Redis can be used before anything is said to be ready: it is reached, lets us in, and what is under the prefix is this
 * installation's. Each schema's installation is written down there by the first start; another one's is refused. Throws
 * `ConfigurationError` with one line that says what to change. Answers whether the keys under the prefix of older versions are this
 * installation's to drain.
 */
export async function requireRedis(o: {
  readonly redisUrl: string;
  readonly redisPrefix: string;
  readonly marks?: readonly InstallationMark[];
  /** An older version made the schemas, so it may have left jobs under the old prefix. */
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

/** Writes down that what is under the prefix is this installation's from now on, whoever's it was. */
export async function takeOverRedis(o: { readonly redisUrl: string; readonly redisPrefix: string }): Promise<void> {
  const redis = await reach(o.redisUrl, reachMsMax);
  try {
    await redis.del(`${o.redisPrefix}:installation`);
  } finally {
    redis.disconnect();
  }
}

/** The first schema that the key says another installation has; where there is none, all are written down. In one step: a start that is refused leaves no mark. */
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

/** Takes pairs of schema and installation. Answers the first schema that is another's. */
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
  // The first one says why: what follows is that the connection is closed.
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
