import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { openChromium } from "@rialto/testing/chromium";
import { simpleParser } from "mailparser";
import type { Page, Request } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRestClient, type RestClient } from "./rest-client.ts";
import { oneProcess, type Topology } from "./topology.ts";

const subject = "the page behind the link of a reset mail";
const browser = await openChromium(subject);
const oldPassword = "a password of some length";

let topology: Topology;
let client: RestClient;
beforeAll(async () => {
  if (browser === undefined) return;
  topology = await oneProcess("postgres", { RIALTO_ARGON2_COST: "test" });
  client = await openRestClient(topology);
});
afterAll(async () => {
  await browser?.close();
  await topology?.stop();
});

/** A customer with a password reset, and the link in its mail. */
async function forgetful(): Promise<{ email: string; link: string }> {
  const { email } = await client.customer();
  return { email, link: await linkFor(email) };
}

async function linkFor(email: string): Promise<string> {
  const { status } = await client.call("POST", "/api/auth/password-reset", { body: { email } });
  expect(status).toBe(200);
  const folder = join(topology.dataDir, "mail");
  let link = "";
  const look = async () => {
    for (const name of await readdir(folder).catch(() => [])) {
      const { text = "", to } = await simpleParser(await readFile(join(folder, name)));
      const found = /^https?:\S+\/reset-password#\S+$/m.exec(text)?.[0];
      if (found !== undefined && JSON.stringify(to).includes(email)) link = found;
    }
    return link;
  };
  await expect.poll(look).not.toBe("");
  return link;
}

const signIn = async (email: string, password: string) =>
  (await client.call("POST", "/api/auth/login", { body: { email, password } })).status;

interface Opened {
  readonly page: Page;
  /** All requests of the page. */
  readonly requests: readonly Request[];
  /** What the page's policy blocked, and what it threw. */
  readonly troubles: readonly string[];
}

async function open(url: string): Promise<Opened> {
  if (browser === undefined) throw new Error("there is no browser");
  const context = await browser.newContext();
  const page = await context.newPage();
  const requests: Request[] = [];
  const troubles: string[] = [];
  context.on("request", (request) => requests.push(request));
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) troubles.push(message.text());
  });
  await page.goto(url);
  return { page, requests, troubles };
}

const passwordOf = (page: Page) => page.getByLabel("New password");
const alertOf = (page: Page) => page.getByRole("alert").textContent();
const statusOf = (page: Page) => page.getByRole("status").textContent();

async function submit(page: Page, password: string): Promise<void> {
  await passwordOf(page).fill(password);
  await page.getByRole("button", { name: "Set the password" }).click();
}

describe.skipIf(browser === undefined)(subject, () => {
  it("says what rule a password breaks, sets one that breaks none, and is good for no other", async () => {
    const { email, link } = await forgetful();
    const { page, troubles } = await open(link);
    await submit(page, "short");
    await expect.poll(() => alertOf(page)).toMatch(/^The new password .*8 characters\.$/);
    expect(await passwordOf(page).getAttribute("aria-invalid")).toBe("true");

    await submit(page, "a password that is new");
    await expect.poll(() => statusOf(page)).toMatch(/^Your password is set\./);
    expect([await alertOf(page), await passwordOf(page).isVisible()]).toEqual(["", false]);
    expect(await signIn(email, "a password that is new")).toBe(200);
    expect(await signIn(email, oldPassword)).toBe(401);

    const again = await open(link);
    await submit(again.page, "a password that is newer");
    await expect.poll(() => alertOf(again.page)).toMatch(/^This link is no longer valid: .* Request a new link/);
    expect(await passwordOf(again.page).isVisible()).toBe(false);
    expect(await signIn(email, "a password that is new")).toBe(200);
    expect([...troubles, ...again.troubles]).toEqual([]);
  });

  it("asks nobody but where it came from, and names the token to the API alone", async () => {
    const { link } = await forgetful();
    const { origin, hash } = new URL(link);
    const token = hash.slice(1);
    const { page, requests } = await open(link);
    expect(page.url()).toBe(`${origin}/reset-password`);
    await submit(page, "a password that is new");
    await expect.poll(() => statusOf(page)).toMatch(/^Your password is set\./);
    expect(requests.map((request) => new URL(request.url()).origin)).toEqual(requests.map(() => origin));
    const naming = requests.filter((request) => request.postData()?.includes(token) === true);
    expect(naming.map((request) => new URL(request.url()).pathname)).toEqual(["/api/auth/password-reset/confirm"]);
    // Playwright's URL includes the fragment, which is not sent.
    const heads = requests.map((request) => [request.url().split("#")[0], request.headers()]);
    expect(JSON.stringify(heads)).not.toContain(token);
    expect(requests.map((request) => request.headers().referer ?? "")).toEqual(requests.map(() => ""));
  });

  it("works with the keyboard, and shows the password to whoever wants to see it", async () => {
    const { email, link } = await forgetful();
    const { page } = await open(link);
    await page.keyboard.type("typed in from the keys");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    expect(await passwordOf(page).getAttribute("type")).toBe("text");
    await page.keyboard.press("Space");
    expect(await passwordOf(page).getAttribute("type")).toBe("password");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await expect.poll(() => statusOf(page)).toMatch(/^Your password is set\./);
    expect(await signIn(email, "typed in from the keys")).toBe(200);
  });

  it("says that the link is not whole where there is no token, and takes the next one in the same tab", async () => {
    const { email, link } = await forgetful();
    const { page } = await open(new URL("/reset-password", link).href);
    expect(await alertOf(page)).toMatch(/^This link is incomplete/);
    expect(await passwordOf(page).isVisible()).toBe(false);
    await page.goto(link);
    await submit(page, "a password that is new");
    await expect.poll(() => statusOf(page)).toMatch(/^Your password is set\./);
    expect(await alertOf(page)).toBe("");
    expect(await signIn(email, "a password that is new")).toBe(200);
  });

  it("says when to try again where there were too many tries, and that no answer came where none did", async () => {
    const { link } = await forgetful();
    const { page } = await open(link);
    await page.route("**/api/**", (route) => route.fulfill({ status: 429, headers: { "retry-after": "150" } }));
    await submit(page, "a password that is new");
    await expect.poll(() => alertOf(page)).toBe("Too many attempts. Try again in 3 minutes.");
    await page.unroute("**/api/**");
    await page.route("**/api/**", (route) => route.abort());
    await submit(page, "a password that is new");
    await expect.poll(() => alertOf(page)).toMatch(/^No response\./);
    await page.unroute("**/api/**");
    await submit(page, "a password that is new");
    await expect.poll(() => statusOf(page)).toMatch(/^Your password is set\./);
  });

  it("is light where its reader's screen is, and dark where that is", async () => {
    const { page } = await open(`${topology.url}/reset-password`);
    const colorOf = async (colorScheme: "light" | "dark") => {
      await page.emulateMedia({ colorScheme });
      return page.evaluate("getComputedStyle(document.querySelector('h1')).color");
    };
    expect([await colorOf("light"), await colorOf("dark")]).toEqual(["rgb(0, 0, 0)", "rgb(255, 255, 255)"]);
  });
});
