import type { Exchange } from "./exchange.ts";
import { describeRoutes } from "./openapi/document.ts";
import { pagePolicy, renderPage } from "./openapi/page.ts";
import type { RestRoute } from "./routes.ts";

/** The pages that tell what the gateway offers, made once. */
export interface Reference {
  /** Answers /openapi.json and /docs; false where the request is for something else. */
  answer(exchange: Exchange): boolean;
}

export function createReference(routes: readonly RestRoute[]): Reference {
  const document = describeRoutes(routes);
  const headers = { "cache-control": "public, max-age=300", "x-content-type-options": "nosniff" };
  const pages = new Map([
    [
      "/openapi.json",
      {
        head: { ...headers, "content-type": "application/json" },
        body: Buffer.from(JSON.stringify(document)),
      },
    ],
    [
      "/docs",
      {
        head: { ...headers, "content-type": "text/html; charset=utf-8", "content-security-policy": pagePolicy },
        body: Buffer.from(renderPage(document)),
      },
    ],
  ]);
  return {
    answer({ request, response, path, record }) {
      const page = pages.get(path);
      if (page === undefined || (request.method !== "GET" && request.method !== "HEAD")) return false;
      record.route = path;
      response.writeHead(200, { ...page.head, "content-length": page.body.length });
      response.end(request.method === "HEAD" ? undefined : page.body);
      return true;
    },
  };
}
