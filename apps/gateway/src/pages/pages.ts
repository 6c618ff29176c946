import type { Exchange } from "../exchange/exchange.ts";
import type { RestRoute } from "../rest/routes.ts";
import { wrongMethod } from "../rest/routes.ts";
import { createConfirmEmailPage } from "./confirm-email/page.ts";
import { describeRoutes } from "./openapi/document.ts";
import { pagePolicy, renderPage } from "./openapi/page.ts";
import { createResetPasswordPage } from "./reset-password/page.ts";
import { createTracesPage } from "./traces/page.ts";

/**
 * The pages that need no call: the API's description, the pages that links in e-mails open, and in development the one
 * that shows traces. Each is rendered once, when it is first asked for: describing the API takes longer than all the
 * rest of a gateway's start.
 */
export interface Pages {
  /** Returns true for /openapi.json, /docs, /reset-password, /confirm-email, and /traces where it is served. */
  has(path: string): boolean;
  /** Answers a request for one of them. Throws 405 for methods other than GET and HEAD. */
  answer(exchange: Exchange): void;
}

/** Creates the pages from the routes. Throws if the contract has no route for the call that a page makes. */
export function createPages(routes: readonly RestRoute[], o: { readonly showsTraces: boolean }): Pages {
  const document = once(() => describeRoutes(routes));
  const reset = createResetPasswordPage(routes);
  const confirm = createConfirmEmailPage(routes);
  const traces = o.showsTraces ? [createTracesPage(routes)] : [];
  const pages: ReadonlyMap<string, () => Page> = new Map([
    ["/openapi.json", once(() => pageOf(JSON.stringify(document()), { "content-type": "application/json" }))],
    ["/docs", once(() => htmlPage(renderPage(document()), pagePolicy))],
    ["/reset-password", once(() => htmlPage(reset.html, reset.policy))],
    ["/confirm-email", once(() => htmlPage(confirm.html, confirm.policy))],
    ...traces.map(({ html, policy }) => ["/traces", once(() => htmlPage(html, policy))] as const),
  ]);
  return {
    has: (path) => pages.has(path),
    answer({ request, response, path, record }) {
      const pageAt = pages.get(path);
      if (pageAt === undefined) throw new Error(`there is no page at ${path}`);
      record.route = path;
      if (request.method !== "GET" && request.method !== "HEAD") throw wrongMethod(["GET", "HEAD"]);
      const page = pageAt();
      response.writeHead(200, { ...page.head, "content-length": page.body.length });
      response.end(request.method === "HEAD" ? undefined : page.body);
    },
  };
}

interface Page {
  readonly head: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Returns a function that makes something at its first call, and keeps it. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function htmlPage(html: string, policy: string): Page {
  return pageOf(html, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy });
}

function pageOf(text: string, headers: Readonly<Record<string, string>>): Page {
  const head = { "cache-control": "public, max-age=300", "x-content-type-options": "nosniff", ...headers };
  return { head, body: Buffer.from(text) };
}
