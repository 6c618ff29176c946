import { type DestinationStream, type Logger as PinoLogger, pino, stdSerializers, stdTimeFunctions } from "pino";

export type Logger = PinoLogger;

/** Fields that are redacted in every log line, at the top level and up to three levels below. */
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

/** The depth of nesting that is searched. Each level costs time on every line. */
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
  // Postgres puts values of the refused row into `detail`. They may be personal data, which logs must not contain.
  return [...paths, "err.detail", "error.detail", "err.parameters", "error.parameters"];
}

/**
 * Makes a logger that writes one JSON line per entry to stdout.
 *
 * Each line has the service's name. Secrets are redacted by field name. Errors logged as `err` or `error` keep their
 * stack and their causes. Writing is synchronous, so that the last line before an exit is not lost. If stdout does not
 * accept lines (a full disk), they are lost and the process goes on.
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
