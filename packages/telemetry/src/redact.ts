/** The names of fields whose values are never written. */
const secretFields: ReadonlySet<string> = new Set([
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
  "rialto-service",
  "idempotency-key",
]);

/** Whether the values of fields of this name are never written. */
export function isSecretName(name: string): boolean {
  return secretFields.has(name);
}

/** Postgres puts values of the refused row into these fields of its errors. They may be personal data. */
const secretErrorFields: ReadonlySet<string> = new Set(["detail", "parameters"]);

/** How many levels below the top are searched. What lies deeper is not written: nobody has looked at it. */
const depthMax = 3;

const censor = "[redacted]";

type Fields = Readonly<Record<string, unknown>>;

/**
 * Returns what is logged without its secrets, which are known by the names of their fields. It is the same object where
 * there are none: nearly every line has a few texts, which are looked at by name and not copied. Errors under `err` and
 * `error` are left to `redactedError`, as they are not written as they are.
 */
export function redacted(fields: Fields): Fields {
  let copy: Record<string, unknown> | undefined;
  for (const name in fields) {
    const value = fields[name];
    const written = name === "err" || name === "error" ? value : redactedField(name, value, 0);
    if (written === value) continue;
    copy ??= { ...fields };
    copy[name] = written;
  }
  return copy ?? fields;
}

/** Returns the fields of an error that is logged without its secrets, and without the row that Postgres refused. */
export function redactedError(fields: unknown): unknown {
  if (typeof fields !== "object" || fields === null) return fields;
  const shown = redactedObject(fields, 0);
  const secret = Object.keys(shown).filter((name) => secretErrorFields.has(name));
  return secret.length === 0 ? shown : { ...shown, ...Object.fromEntries(secret.map((name) => [name, censor])) };
}

/** Returns a value without the secrets in it. */
export function redactedValue(value: unknown): unknown {
  return typeof value === "object" && value !== null ? redactedObject(value, -1) : value;
}

function redactedField(name: string, value: unknown, depth: number): unknown {
  if (value === undefined) return undefined;
  if (secretFields.has(name)) return censor;
  if (typeof value !== "object" || value === null) return value;
  if (depth < depthMax) return redactedObject(value, depth);
  const shown = asJson(value);
  return typeof shown === "object" && shown !== null ? censor : value;
}

/** Returns an object or a list at this depth without the secrets in it. */
function redactedObject(given: object, depth: number): object {
  if (ArrayBuffer.isView(given)) return given;
  const shown = asJson(given);
  if (typeof shown !== "object" || shown === null) return given;
  let copy: object | undefined;
  for (const [name, value] of Object.entries(shown)) {
    const written = redactedField(name, value, depth + 1);
    if (written === value) continue;
    copy ??= Array.isArray(shown) ? [...shown] : { ...shown };
    Reflect.set(copy, name, written);
  }
  return copy ?? shown;
}

/**
 * What is written for an object that says so itself, which may be another such object: the writer asks what it is
 * given. One that throws is written as unreadable, with nothing of it.
 */
function asJson(given: object): unknown {
  let shown: unknown = given;
  try {
    for (let n = 0; n < depthMax && saysItself(shown); n += 1) shown = shown.toJSON();
    return saysItself(shown) && shown !== given ? { shown: censor } : shown;
  } catch {
    return given;
  }
}

function saysItself(value: unknown): value is { toJSON(): unknown } {
  return typeof value === "object" && value !== null && "toJSON" in value && typeof value.toJSON === "function";
}
