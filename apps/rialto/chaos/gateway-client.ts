import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "./seed/random.ts";

/** Longer than any internal deadline, so that a slow response is still received. */
const answerMsMax = 8_000;
/** The time after which a request is given up and the run fails. No fault lasts as long. */
const requestMsMax = 240_000;
const retryDelayMsMin = 100;
const retryDelayMsMax = 2_000;

/** JSON of any shape, read by name. */
// biome-ignore lint/suspicious/noExplicitAny: a response has any shape; a wrong name is a violation in the checker
export type Json = any;

/** A definite response: it does not change when the request is sent again. */
export interface Answer {
  readonly status: number;
  readonly body: Json;
  /** The number of attempts. */
  readonly tries: number;
}

export interface Request {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  readonly key?: string;
}

/** A client of the gateway that retries. */
export interface GatewayClient {
  /** Sends a request, with the same key each time, until it has a definite response. */
  ask(request: Request, random: Random): Promise<Answer>;
}

/** Creates a client. With `account`, it signs in, and again whenever its token is refused. */
export function createGatewayClient(o: {
  readonly url: string;
  readonly account: { readonly email: string; readonly password: string } | undefined;
}): GatewayClient {
  let token: string | undefined;

  /** The answer, or why there is none. */
  async function once(request: Request): Promise<{ status: number; body: Json } | string> {
    try {
      const response = await fetch(`${o.url}${request.path}`, {
        method: request.method,
        headers: {
          ...(request.body === undefined ? {} : { "content-type": "application/json" }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(request.key === undefined ? {} : { "idempotency-key": request.key }),
        },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        signal: AbortSignal.timeout(answerMsMax),
      });
      const text = await response.text();
      return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
    } catch (error) {
      // The outcome is unknown, which is what the key is for.
      return String(error);
    }
  }

  const isSignedOut = () => o.account !== undefined && token === undefined;

  async function signIn(): Promise<{ status: number; body: Json } | string> {
    const answer = await once({ method: "POST", path: "/api/auth/login", body: o.account });
    if (typeof answer !== "string" && answer.status === 200) token = answer.body.accessToken;
    return answer;
  }

  return {
    async ask(request, random) {
      const until = Date.now() + requestMsMax;
      let last = "nothing was sent";
      for (let tries = 1; Date.now() < until; tries += 1) {
        if (isSignedOut()) last = `login: ${textOf(await signIn())}`;
        if (!isSignedOut()) {
          const answer = await once(request);
          last = textOf(answer);
          if (typeof answer !== "string") {
            if (answer.status === 401) token = undefined;
            else if (isDefinite(answer)) return { ...answer, tries };
          }
        }
        await sleep(random.int(0, Math.min(retryDelayMsMax, retryDelayMsMin * 2 ** Math.min(tries, 10))));
      }
      throw new Error(
        `no answer to ${request.method} ${request.path} in ${requestMsMax} ms, with the key ${request.key}; the last one: ${last}`,
      );
    },
  };
}

function textOf(answer: { readonly status: number; readonly body: Json } | string): string {
  return typeof answer === "string" ? answer : `${answer.status} ${JSON.stringify(answer.body)}`;
}

/** google.rpc codes of errors that are worth a retry. */
const passing: ReadonlySet<number> = new Set([1, 2, 4, 8, 10, 13, 14]);

function isDefinite({ status, body }: { readonly status: number; readonly body: Json }): boolean {
  if (status === 200) return true;
  return status >= 400 && status < 500 && typeof body?.code === "number" && !passing.has(body.code);
}

/** The reason of an error, as named in the contract. */
export function reasonIn(answer: Answer): string {
  const details: Json[] = Array.isArray(answer.body?.details) ? answer.body.details : [];
  return String(details.find((detail) => typeof detail?.reason === "string")?.reason ?? answer.body?.message ?? "");
}
