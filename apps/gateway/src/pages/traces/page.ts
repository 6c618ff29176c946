import type { DescEnum, DescMethod } from "@bufbuild/protobuf";
import * as contracts from "@rialto/contracts";
import { AuthService, DeadLetterService, OrderService, TraceService } from "@rialto/contracts";
import { viewerHeader } from "../../exchange/request-span.ts";
import type { RestRoute } from "../../rest/routes.ts";
import { actionFor, type HtmlPage, policyOf, readPart } from "../html-page.ts";
import { joinModules } from "../join-modules.ts";
import { commentOf } from "../openapi/comment.ts";

/**
 * Makes the page that shows traces: a list, and what an order, a request or a trace did. It is complete in itself. An
 * admin signs in on it, and it reads traces, orders and dead letters from the API that served it. Throws if the
 * contract has no route for a call that it makes.
 */
export function createTracesPage(routes: readonly RestRoute[]): HtmlPage {
  const script = joinModules(new URL("browser/main.js", import.meta.url));
  const style = styles.map((name) => readPart(new URL(`style/${name}.css`, import.meta.url))).join("");
  // Nothing that was written by others can become markup or a script: the browser refuses it.
  const policy = `${policyOf({ script, style })}; require-trusted-types-for 'script'; trusted-types 'none'`;
  const data = { paths: pathsOf(routes), viewerHeader, meanings: meaningsOf(), services: servicesOf(routes) };
  return { html: pageText({ script, style, data: JSON.stringify(data) }), policy };
}

const styles = ["page", "lists", "waterfall", "details"] as const;

function pathsOf(routes: readonly RestRoute[]): Readonly<Record<string, string>> {
  const methods: Readonly<Record<string, DescMethod>> = {
    login: AuthService.method.login,
    refresh: AuthService.method.refreshToken,
    logout: AuthService.method.logout,
    traces: TraceService.method.listTraces,
    trace: TraceService.method.getTrace,
    order: OrderService.method.getOrder,
    orderEvents: OrderService.method.listOrderEvents,
    deadLetters: DeadLetterService.method.listDeadLetters,
  };
  return Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, actionFor(method, routes)]));
}

/** What the contract says of each reason of a refusal, a rejection, or a wait for a person. */
function meaningsOf(): Readonly<Record<string, string>> {
  // What an order says of itself is said to people; the reasons of errors are for those who call.
  const enums = Object.values<unknown>(contracts)
    .filter(isReasonEnum)
    .sort((a, b) => Number(b.name.endsWith("ErrorReason")) - Number(a.name.endsWith("ErrorReason")));
  const values = enums.flatMap((desc) => desc.values);
  const told = values.map((value) => [value.name, commentOf(value).replaceAll("\n", " ")] as const);
  return Object.fromEntries(told.filter(([name, text]) => text !== "" && !name.endsWith("_UNSPECIFIED")));
}

function isReasonEnum(value: unknown): value is DescEnum {
  if (typeof value !== "object" || value === null || !("kind" in value) || value.kind !== "enum") return false;
  return "name" in value && typeof value.name === "string" && value.name.endsWith("Reason");
}

/** The gateway and the services behind it, in the order of the contract. */
function servicesOf(routes: readonly RestRoute[]): readonly string[] {
  const domains = routes.map(({ method }) => method.parent.typeName.split(".")[1] ?? "");
  return ["gateway", ...new Set(domains.filter((domain) => !ofGateway.has(domain)))];
}

/** Packages whose methods the gateway serves itself. */
const ofGateway: ReadonlySet<string> = new Set(["audit", "events", "trace"]);

function pageText({ script, style, data }: Readonly<Record<"script" | "style" | "data", string>>): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>Rialto traces</title><style>${style}</style></head><body>
<a class="skip" href="#main">Skip to the traces</a>
<header>
<a class="home" href="?">Rialto traces</a>
<form id="search" role="search" hidden>
<label for="query">Order, request or trace id</label>
<input id="query" type="search" maxlength="200" autocomplete="off" autocapitalize="none" spellcheck="false">
<button>Search</button>
</form>
<p id="account" hidden><span id="who"></span> <button type="button" id="sign-out">Sign out</button></p>
</header>
<main id="main" tabindex="-1">
<noscript><p>This page needs JavaScript, which is turned off in your browser.</p></noscript>
<form id="sign-in" hidden>
<h1>Sign in as an admin</h1>
<label for="email">E-mail address</label>
<input id="email" type="email" autocomplete="username" required>
<label for="password">Password</label>
<input id="password" type="password" autocomplete="current-password" required aria-describedby="hint problem">
<small id="hint">The first <code>npm start</code> makes an admin account and prints its password once.</small>
<button>Sign in</button>
<p id="problem" role="alert"></p>
</form>
<div id="view"></div>
</main>
<p id="status" role="status"></p>
<script type="application/json" id="page-data">${data.replaceAll("<", "\\u003c")}</script>
<script type="module">${script}</script></body></html>
`;
}
