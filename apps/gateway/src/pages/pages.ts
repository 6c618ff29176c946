import type { Exchange } from "../exchange/exchange.ts";
import type { RestRoute } from "../rest/routes.ts";
import { wrongMethod } from "../rest/routes.ts";
import { createConfirmEmailPage } from "./confirm-email/page.ts";
import { describeRoutes } from "./openapi/document.ts";
import { pagePolicy, renderPage } from "./openapi/page.ts";
import { createResetPasswordPage } from "./reset-password/page.ts";

/**
 * What people and their tools may read without calling a method, made once: what there is to call, and the pages behind
 * the links of mails.
 */
export interface Pages {
  /** True for /openapi.json, /docs, /reset-password and /confirm-email. */
  has(path: string): boolean;
  /** Answers a request for one of them. Throws where it is to do anything but read it. */
  answer(exchange: Exchange): void;
}

/** Makes the pages of what the routes offer. Throws where the contract has no route for what a page does. */
export function createPages(routes: readonly RestRoute[]): Pages {
  const document = describeRoutes(routes);
  const reset = createResetPasswordPage(routes);
  const confirm = createConfirmEmailPage(routes);
  const pages: ReadonlyMap<string, Page> = new Map([
    ["/openapi.json", pageOf(JSON.stringify(document), { "content-type": "application/json" })],
    ["/docs", htmlPage(renderPage(document), pagePolicy)],
    ["/reset-password", htmlPage(reset.html, reset.policy)],
    ["/confirm-email", htmlPage(confirm.html, confirm.policy)],
  ]);
  return {
    has: (path) => pages.has(path),
    answer({ request, response, path, record }) {
      const page = pages.get(path);
      if (page === undefined) throw new Error(`there is no page at ${path}`);
      record.route = path;
      if (request.method !== "GET" && request.method !== "HEAD") throw wrongMethod(["GET", "HEAD"]);
      response.writeHead(200, { ...page.head, "content-length": page.body.length });
      response.end(request.method === "HEAD" ? undefined : page.body);
    },
  };
}

interface Page {
  readonly head: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

function htmlPage(html: string, policy: string): Page {
  return pageOf(html, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy });
}

function pageOf(text: string, headers: Readonly<Record<string, string>>): Page {
  const head = { "cache-control": "public, max-age=300", "x-content-type-options": "nosniff", ...headers };
  return { head, body: Buffer.from(text) };
}
