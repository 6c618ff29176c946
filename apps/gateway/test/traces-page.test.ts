import { openRateLimits, readConfig } from "@rialto/service";
import { openChromium } from "@rialto/testing/chromium";
import axe, { type AxeResults } from "axe-core";
import type { BrowserContextOptions, Page, Request } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gatewayVariables } from "../src/config.ts";
import { gatewayOptions } from "../src/options.ts";
import { type StubSystem, startStubSystem } from "./stub-system.ts";
import { admin, standInForApi } from "./trace-api-stand-in.ts";
import { confirmedId, deadId, declinedId, hostile, hostileName, large, requestId } from "./trace-stories.ts";

const subject = "the page that shows traces";
const browser = await openChromium(subject);

let system: StubSystem;
beforeAll(async () => {
  system = await startStubSystem({}, { gateway: { showsTraces: true } });
});
afterAll(async () => {
  await browser?.close();
  await system.close();
});

describe(`${subject}, as it is served`, () => {
  it("may run its own script, which makes no markup of text, and call where it came from", async () => {
    const response = await fetch(`${system.url}/traces`);
    const html = await response.text();
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy.replaceAll(/'sha256-[^']+'/g, "'hash'").split("; ")).toEqual([
      "default-src 'none'",
      "script-src 'hash'",
      "style-src 'hash'",
      "connect-src 'self'",
      "form-action 'none'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ]);
    const markup = html.replaceAll(/(<(script|style)[^>]*>).*?<\/\2>/gs, "$1");
    expect(markup).not.toMatch(/https?:|\ssrc=|<link|@import|url\(|\sstyle=|\son[a-z]+=/);
    expect((await fetch(`${system.url}/traces`, { method: "POST" })).status).toBe(405);
  });

  it("is unknown where the gateway is not told to serve it, like any path", async () => {
    const production = await startStubSystem();
    const answers = await Promise.all(
      ["/traces", "/nothing-here"].map(async (path) => {
        const response = await fetch(`${production.url}${path}`);
        return [response.status, await response.text(), response.headers.get("content-security-policy")];
      }),
    );
    await production.close();
    expect(answers[0]?.[0]).toBe(404);
    expect(answers[0]).toEqual(answers[1]);
  });
});

describe("a gateway's options", () => {
  it("have the page in development, and not in production", () => {
    const showsTraces = (env: Readonly<Record<string, string>>) => {
      const config = readConfig(env);
      return gatewayOptions({ ...config, ...config.read(gatewayVariables) }, openRateLimits(config)).showsTraces;
    };
    expect([showsTraces({}), showsTraces({ NODE_ENV: "production" })]).toEqual([true, false]);
  });
});

interface Opened {
  readonly page: Page;
  readonly requests: readonly Request[];
  /** What the page's policy blocked, and what it threw. */
  readonly troubles: readonly string[];
  readonly api: Awaited<ReturnType<typeof standInForApi>>;
}

async function open(path: string, options: BrowserContextOptions = {}): Promise<Opened> {
  if (browser === undefined) throw new Error("there is no browser");
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const requests: Request[] = [];
  const troubles: string[] = [];
  context.on("request", (request) => requests.push(request));
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) troubles.push(message.text());
  });
  const api = await standInForApi(page);
  await page.goto(`${system.url}${path}`);
  return { page, requests, troubles, api };
}

async function signIn(page: Page, { email, password } = admin): Promise<void> {
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function openAsAdmin(path: string, options?: BrowserContextOptions): Promise<Opened> {
  const opened = await open(path, options);
  await signIn(opened.page);
  await opened.page.locator("#view h1").waitFor();
  return opened;
}

const alertOf = (page: Page) => page.getByRole("alert").textContent();
const causesOf = (page: Page) => page.locator(".causes").textContent();
const chosenRow = (page: Page) => page.locator("[role=treeitem]:focus").textContent();
const search = async (page: Page, id: string) => {
  await page.getByRole("searchbox").fill(id);
  await page.keyboard.press("Enter");
};

describe.skipIf(browser === undefined)(subject, () => {
  it("lets an admin in, and says why it lets nobody else in", async () => {
    const { page, api } = await open("/traces");
    await signIn(page, { ...admin, password: "a wrong one" });
    await expect.poll(() => alertOf(page)).toBe("E-mail or password is wrong.");
    await signIn(page, { ...admin, email: "ada@example.com" });
    await expect.poll(() => alertOf(page)).toMatch(/^ada@example\.com is a customer's account\. .* admins only\.$/);
    // The customer's session is ended.
    expect(api.requested.at(-1)?.path).toBe("/api/auth/logout");
    await signIn(page);
    await page.getByRole("heading", { name: "Last traces" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Last traces" }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in as an admin" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Sign in as an admin" }).waitFor();
  });

  it("finds by the keyboard alone why a card's order was rejected", async () => {
    const { page } = await open("/traces");
    await page.keyboard.type(admin.email);
    await page.keyboard.press("Tab");
    await page.keyboard.type(admin.password);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Last traces" }).waitFor();
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.type(declinedId);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: declinedId }).waitFor();
    expect(await causesOf(page)).toMatch(/The order was rejected.*PAYMENT_DECLINED.*The card was refused\./);

    for (let presses = 0; presses < 20 && (await page.locator("[role=treeitem]:focus").count()) === 0; presses += 1)
      await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowDown");
    expect(await chosenRow(page)).toMatch(/^POST \/api\/orders.*gateway/);
    await page.keyboard.press("ArrowLeft");
    expect(await page.getByRole("treeitem").count()).toBe(2);
    await page.keyboard.press("n");
    expect(await chosenRow(page)).toMatch(/checkout authorize-payment.*PAYMENT_DECLINED/);
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await chosenRow(page)).toMatch(/refused PAYMENT_DECLINED/);
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    const details = page.getByRole("region", { name: "The chosen row" });
    expect(await details.evaluate((made) => made === made.ownerDocument.activeElement)).toBe(true);
    expect(await details.textContent()).toContain("rialto.payment.v1.PaymentService/AuthorizePayment");
    await page.keyboard.press("Escape");
    expect(await chosenRow(page)).toMatch(/AuthorizePayment/);
    await page.keyboard.press("End");
    expect(await chosenRow(page)).toMatch(/inforequest/);
  });

  it("shows an order's whole life over its traces, with the log lines inside their spans", async () => {
    const { page } = await openAsAdmin(`/traces?q=${confirmedId}`);
    const life = page.getByRole("list", { name: "What happened to the order" }).getByRole("link");
    expect(await life.allInnerTexts()).toEqual(["placed", "stock reserved", "confirmed", "ship requested", "shipped"]);
    expect(await causesOf(page)).toBe("Nothing failed, and nothing was refused.");
    const traces = page.locator("[role=treeitem][aria-level='1']");
    expect(await traces.nth(0).getAttribute("aria-setsize")).toBe("2");
    const line = page.getByRole("treeitem", { name: "info request" });
    expect(await line.getAttribute("aria-level")).toBe("3");
    await page.getByRole("checkbox", { name: "Log lines" }).uncheck();
    expect(await line.count()).toBe(0);
  });

  it("says what the handler of a dead letter threw, and shows its last attempt", async () => {
    const { page } = await openAsAdmin(`/traces?q=${deadId}`);
    const causes = await causesOf(page);
    expect(causes).toContain("Dead letter: “order-mail” gave up order.confirmed after 3 attempts");
    expect(causes).toContain("Cannot read properties of undefined (reading 'street')");
    await page.getByRole("button", { name: /^Show Dead letter/ }).click();
    expect(await chosenRow(page)).toMatch(/process order\.confirmed.*TypeError\+35\.4 s/);
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    const details = page.getByRole("region", { name: "The chosen row" });
    expect(await details.textContent()).toContain("at render (order-mail.ts:61:9)");
  });

  it("finds a request too, leads from it to its order, and has an address for each view", async () => {
    const { page } = await openAsAdmin("/traces");
    await search(page, requestId);
    await page.getByRole("heading", { name: `Request ${requestId}` }).waitFor();
    await page.locator("main").getByRole("link", { name: "order …00000000c0de" }).click();
    await page.getByRole("heading", { name: `Order ${confirmedId}` }).waitFor();
    expect(new URL(page.url()).searchParams.get("q")).toBe(confirmedId);
    await page.goBack();
    await page.getByRole("heading", { name: `Request ${requestId}` }).waitFor();
    await search(page, "a request that was never made");
    expect(await alertOf(page)).toMatch(/is not the id of an order, a request or a trace/);
    await page.goto(`${system.url}/traces?trace=${"dc".repeat(16)}&span=0000000000000013`);
    await expect.poll(() => chosenRow(page)).toContain("checkout authorize-payment");
  });

  it("finds traces and orders by ids in capital letters", async () => {
    const { page } = await openAsAdmin(`/traces?q=${"DC".repeat(16)}`);
    await expect.poll(() => causesOf(page)).toContain("PAYMENT_DECLINED");
    await search(page, confirmedId.toUpperCase());
    await page.getByRole("heading", { name: `Order ${confirmedId}` }).waitFor();
  });

  it("takes every name and value for text, whatever it holds", async () => {
    const { page, troubles } = await openAsAdmin("/traces");
    expect(await page.locator(".traces").textContent()).toContain(hostileName);
    await page.goto(`${system.url}/traces?trace=${hostile.traceId}`);
    await page.getByRole("heading", { level: 1, name: hostileName }).waitFor();
    await page.getByRole("button", { name: /^Show/ }).click();
    const shown = await page.getByRole("region", { name: "The chosen row" }).textContent();
    expect(shown?.split(hostileName).length).toBeGreaterThan(4);
    expect(await page.locator("main img, main script").count()).toBe(0);
    expect([await page.evaluate("globalThis.isBroken"), troubles]).toEqual([undefined, []]);
  });

  it("shows a trace of 5,000 spans with some rows in the document, and goes from its first to its last", async () => {
    const { page } = await openAsAdmin(`/traces?trace=${large.traceId}`);
    const rows = page.getByRole("treeitem");
    await rows.first().focus();
    await page.keyboard.press("End");
    expect(await chosenRow(page)).toMatch(/INSERT product/);
    expect(await page.locator("[role=treeitem]:focus").getAttribute("aria-posinset")).toBe("4999");
    expect(await page.locator("[role=treeitem]:focus").isVisible()).toBe(true);
    await page.keyboard.press("Shift+N");
    expect(await chosenRow(page)).toContain("23505");
    await page.getByRole("button", { name: "Expand all" }).click();
    expect(await rows.count()).toBeLessThan(100);
  });

  it("renews its token once where it has expired, and asks for a new session where that has ended", async () => {
    const { page, api } = await openAsAdmin("/traces");
    api.state.isExpired = true;
    await search(page, declinedId);
    await page.getByRole("heading", { name: declinedId }).waitFor();
    const renewals = api.requested.filter(({ path }) => path === "/api/auth/refresh");
    expect(renewals).toHaveLength(1);
    expect(api.requested.at(-1)?.authorization).toBe("Bearer a-token-of-refresh");
    api.state.isExpired = true;
    api.state.isEnded = true;
    await search(page, confirmedId);
    await expect.poll(() => alertOf(page)).toBe("Your session has ended. Sign in again.");
    // It goes on where it was.
    await signIn(page);
    await page.getByRole("heading", { name: confirmedId }).waitFor();
  });

  it("says when to try again where there were too many requests", async () => {
    const { page, api } = await openAsAdmin("/traces");
    api.state.isLimited = true;
    await search(page, declinedId);
    await expect.poll(() => alertOf(page)).toMatch(/^Too many requests\. Try again in 10 minutes\./);
    api.state.isLimited = false;
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("heading", { name: declinedId }).waitFor();
  });

  it("asks nobody but where it came from, and names the password to the API alone", async () => {
    const { page, requests } = await openAsAdmin(`/traces?q=${deadId}`);
    await page.getByRole("link", { name: "Rialto traces" }).click();
    await page.getByRole("heading", { name: "Last traces" }).waitFor();
    expect(new Set(requests.map((request) => new URL(request.url()).origin))).toEqual(new Set([system.url]));
    const naming = requests.filter((request) => request.postData()?.includes(admin.password) === true);
    expect(naming.map((request) => new URL(request.url()).pathname)).toEqual(["/api/auth/login"]);
    expect(requests.filter((request) => request.resourceType() === "document")).toHaveLength(1);
  });
});

// The rules of WCAG 2.2 A and AA that a program can check, and what axe-core calls best practices.
describe.skipIf(browser === undefined).each([360, 1280])(`${subject}, %i pixels wide`, (width) => {
  /** What axe-core finds in light and in dark, and how far the page can be scrolled sideways. */
  async function faultsOf(page: Page): Promise<unknown> {
    const found: unknown[] = [];
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const { violations } = await page.evaluate<AxeResults>("axe.run({ resultTypes: ['violations'] })");
      for (const { id, nodes } of violations) found.push([colorScheme, id, nodes.map((node) => node.failureSummary)]);
    }
    const sideways = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
    return { found, sideways, animations: await page.evaluate("document.getAnimations().length") };
  }
  const none = { found: [], sideways: 0, animations: 0 };

  it("has no fault of accessibility, fits, and does not move", async () => {
    const { page } = await open("/traces", { viewport: { width, height: 800 } });
    await page.evaluate(axe.source);
    expect(await faultsOf(page)).toEqual(none);
    await signIn(page);
    await page.getByRole("heading", { name: "Last traces" }).waitFor();
    expect(await faultsOf(page)).toEqual(none);
    for (const id of [confirmedId, declinedId, deadId]) {
      await search(page, id);
      await page.getByRole("heading", { name: id }).waitFor();
      if (id !== confirmedId) await page.getByRole("button", { name: /^Show/ }).first().click();
      expect(await faultsOf(page), id).toEqual(none);
    }
  });

  it("is light where its reader's screen is, and dark where that is", async () => {
    const { page } = await open("/traces", { viewport: { width, height: 800 } });
    const colors: string[] = [];
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      colors.push(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
    }
    expect(colors).toEqual(["rgb(255, 255, 255)", "rgb(20, 23, 28)"]);
  });
});
