import { randomUUID } from "node:crypto";

/** One request of a load. `keyMark` in a header's value becomes a key that no other request has. */
export interface PlannedRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** The requests of a load, sent in turn. Made anew for each round, since tokens expire. */
export type Plan = readonly PlannedRequest[];

/** What a load found. */
export interface LoadResult {
  /** Answers that count. */
  readonly operations: number;
  /** Answers of another status than 2xx and 3xx, errors and timeouts. */
  readonly failures: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Puts a server under load. */
export interface Load {
  /** Waits, before a round is measured, until nothing is left of the last one. */
  readonly settle?: () => Promise<void>;
  /** As many requests as are answered, by so many connections or calls in flight. */
  closed(seconds: number): Promise<LoadResult>;
  /** So many requests a second, whether they are answered or not; undefined where its tool is missing. */
  readonly open?: ((perSecond: number, seconds: number) => Promise<LoadResult>) | undefined;
}

/** Concurrency of every closed loop. */
export const inFlight = 32;

export const keyMark = "$KEY";

/** A plan as Lua, for `closed-loop.lua`. */
export function planAsLua(plan: Plan): string {
  const requests = plan.map(({ method, path, headers, body }) => {
    const fields = Object.entries(headers).map(([name, value]) => `[${luaText(name)}]=${luaText(value)}`);
    const bodyField = body === undefined ? "" : `,body=${luaText(Buffer.from(body).toString("latin1"))}`;
    return `{method=${luaText(method)},path=${luaText(path)},headers={${fields.join(",")}}${bodyField}}`;
  });
  return `return{seed=${luaText(randomUUID())},requests={${requests.join(",\n")}}}\n`;
}

/** A plan as vegeta's targets, one a line: `count` of them where each needs a key of its own. */
export function planAsTargets(plan: Plan, url: string, count: number): string {
  const isKeyed = plan.some(({ headers }) => Object.values(headers).includes(keyMark));
  const lines: string[] = [];
  for (let index = 0; index < (isKeyed ? Math.max(count, 1) : plan.length); index += 1) {
    const request = plan[index % plan.length];
    if (request === undefined) throw new Error("a plan without requests");
    const header = Object.entries(request.headers).map(([name, value]) => [
      name,
      [value === keyMark ? randomUUID() : value],
    ]);
    lines.push(
      JSON.stringify({
        method: request.method,
        url: url + request.path,
        header: Object.fromEntries(header),
        ...(request.body === undefined ? {} : { body: Buffer.from(request.body).toString("base64") }),
      }),
    );
  }
  return `${lines.join("\n")}\n`;
}

/** A Lua string of these bytes: what is not plain ASCII is escaped by its decimal value. */
function luaText(text: string): string {
  const escaped = text.replace(/[^ !#-[\]-~]/g, (char) => `\\${String(char.charCodeAt(0)).padStart(3, "0")}`);
  return `"${escaped}"`;
}
