import { type DestinationStream, type Logger as PinoLogger, pino, stdSerializers, stdTimeFunctions } from "pino";

export type Logger = PinoLogger;

/** Fields that never reach a log, at the top of a line and up to three levels into it, whoever logs them. */
const secretFields = [
  "password",
  "passwordHash",
  "token",
  "accessToken",
  "access_token",
  "refreshToken",
  "refresh_token",
  "secret",
  "privateKey",
  "authorization",
  "cookie",
  "rialtoService",
  '["rialto-service"]',
  '["idempotency-key"]',
] as const;

/** Levels of nesting that are searched; each costs time on every line. */
const redactionDepthMax = 3;

function redactionPaths(): string[] {
  const below = (depth: number, field: string): string => {
    const parents = Array.from({ length: depth }, () => "*").join(".");
    if (depth === 0) return field;
    return field.startsWith("[") ? `${parents}${field}` : `${parents}.${field}`;
  };
  const paths: string[] = [];
  for (let depth = 0; depth <= redactionDepthMax; depth += 1) {
    for (const field of secretFields) paths.push(below(depth, field));
  }
  // Postgres puts the values of the row that it refused into `detail`: personal data, which logs do not hold.
  return [...paths, "err.detail", "error.detail", "err.parameters", "error.parameters"];
}

/**
 * Makes a logger that writes one JSON line per entry to stdout.
 *
 * Each line carries the service's name. Secrets are redacted by field name; errors logged as `err` or `error` keep their stack
 * and their causes. Writing is synchronous, so that the last line before an exit is never lost. A stdout that takes no lines (a full
 * disk) costs the lines and not the process.
 */
export function createLogger(o: { service: string; level?: string; destination?: DestinationStream }): Logger {
  const options = {
    level: o.level ?? "info",
    base: { service: o.service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: stdSerializers.err, error: stdSerializers.err },
    redact: { paths: redactionPaths(), censor: "[redacted]" },
  };
  return pino(options, o.destination ?? standardOutput());
}

function standardOutput(): DestinationStream {
  const stream = pino.destination({ fd: 1, sync: true });
  stream.on("error", () => undefined);
  return stream;
}
