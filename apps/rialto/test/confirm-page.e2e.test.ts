import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { openChromium } from "@rialto/testing/chromium";
import { simpleParser } from "mailparser";
import type { Page, Request } from "playwright-core";

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRestClient, type RestClient } from "./rest-client.ts";
import { oneProcess, type Topology } from "./topology.ts";

const subject = "the page behind the link of a mail that confirms an address";
const browser = await openChromium(subject);
const password = "a password of some length";

let topology: Topology;
let client: RestClient;
beforeAll(async () => {
  if (browser === undefined) return;
  topology = await oneProcess("postgres", { RIALTO_ARGON2_COST: "test", RIALTO_REQUIRE_CONFIRMED_EMAIL: "on" });
  client = await openRestClient(topology);
});
afterAll(async () => {
  await browser?.close();
  await topology?.stop();
});

/** The mails that went to an address, oldest first. */
async function mailsTo(email: string) {
  const folder = join(topology.dataDir, "mail");
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".eml")).sort();
  const mails = await Promise.all(names.map(async (name) => simpleParser(await readFile(join(folder, name)))));
  return mails.filter(({ to }) => JSON.stringify(to).includes(email));
}

async function linkFor(email: string): Promise<string> {
  let link = "";
  const look = async () => {
    for (const { text = "" } of await mailsTo(email)) link = /^https?:\S+\/confirm-email#\S+$/m.exec(text)?.[0] ?? link;
    return link;
  };
  await expect.poll(look, { timeout: 20_000 }).not.toBe("");
  return link;
}

/** A new customer, with a name that would be an advertisement in a stranger's mailbox. */
async function newcomer() {
  const email = `${randomUUID()}@example.com`;
  const name = "Win a prize at https://evil.example";
  const { body: user } = await client.call("POST", "/api/users", { body: { email, name, password } });
  return { email, id: String(user.id), link: await linkFor(email) };
}

const signIn = async (email: string) =>
  (await client.call("POST", "/api/auth/login", { body: { email, password } })).body;
const isConfirmed = async (email: string) => (await signIn(email)).user?.emailConfirmTime !== undefined;

interface Opened {
  readonly page: Page;
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

const press = (page: Page) => page.getByRole("button", { name: "Confirm the address" }).click();
const alertOf = (page: Page) => page.getByRole("alert").textContent();
const statusOf = (page: Page) => page.getByRole("status").textContent();

describe.skipIf(browser === undefined)(subject, () => {
  it("confirms nothing by being opened, and the address when its button is pressed", async () => {
    const { email, link } = await newcomer();
    const { page, requests, troubles } = await open(link);
    await page.waitForLoadState("networkidle");
    expect(requests.filter((request) => request.method() !== "GET")).toEqual([]);
    expect(await isConfirmed(email)).toBe(false);
    await press(page);
    await expect.poll(() => statusOf(page)).toMatch(/^Your address is confirmed\./);
    expect([await alertOf(page), await page.getByRole("button").isVisible()]).toEqual(["", false]);
    expect(await isConfirmed(email)).toBe(true);
    expect(troubles).toEqual([]);
    const mails = JSON.stringify(await mailsTo(email));
    expect(mails).not.toMatch(/prize|evil/);
  });

  it("asks nobody but where it came from, and names the token to the API alone", async () => {
    const { link } = await newcomer();
    const { origin, hash } = new URL(link);
    const token = hash.slice(1);
    const { page, requests } = await open(link);
    expect(page.url()).toBe(`${origin}/confirm-email`);
    await press(page);
    await expect.poll(() => statusOf(page)).toMatch(/^Your address is confirmed\./);
    expect(requests.map((request) => new URL(request.url()).origin)).toEqual(requests.map(() => origin));
    const naming = requests.filter((request) => request.postData()?.includes(token) === true);
    expect(naming.map((request) => new URL(request.url()).pathname)).toEqual(["/api/auth/email-confirmation/confirm"]);
    const heads = requests.map((request) => [request.url().split("#")[0], request.headers()]);
    expect(JSON.stringify(heads)).not.toContain(token);
  });

  it("lets its account order where the shop asks for a confirmed address, from the next refresh on", async () => {
    const { email, link } = await newcomer();
    const session = await signIn(email);
    const productId = await client.product({ stock: 5 });
    const order = (token: string) =>
      client.post("/api/orders", {
        token,
        body: { items: [{ productId, quantity: 1 }], paymentMethod: "pm_test_approved" },
      });
    const refused = await order(session.accessToken);
    expect(JSON.stringify(refused.body)).toContain("EMAIL_UNCONFIRMED");
    const { page } = await open(link);
    await press(page);
    await expect.poll(() => statusOf(page)).toMatch(/^Your address is confirmed\./);
    const { body } = await client.call("POST", "/api/auth/refresh", { body: { refreshToken: session.refreshToken } });
    expect((await order(body.accessToken)).status).toBe(200);
  });

  it("says that the link is not good any more where it is for an address that the account is not to have", async () => {
    const { email, id, link } = await newcomer();
    const { accessToken } = await signIn(email);
    const moved = `${randomUUID()}@example.com`;
    const change = { email: moved, currentPassword: password };
    expect((await client.call("PATCH", `/api/users/${id}`, { token: accessToken, body: change })).status).toBe(200);
    const { page } = await open(link);
    await press(page);
    await expect.poll(() => alertOf(page)).toMatch(/^This link is no longer valid/);
    await page.goto(await linkFor(moved));
    await press(page);
    await expect.poll(() => statusOf(page)).toMatch(/^Your address is confirmed\./);
    expect((await signIn(moved)).user?.email).toBe(moved);
    const subjects = async () => (await mailsTo(email)).map((mail) => mail.subject);
    await expect.poll(subjects, { timeout: 20_000 }).toContain("Your e-mail address was changed");
    expect(JSON.stringify(await mailsTo(email))).not.toContain(moved);
  });

  it("says that the link is not whole where there is no token, and that no answer came where none did", async () => {
    const { link } = await newcomer();
    const { page } = await open(new URL("/confirm-email", link).href);
    expect(await alertOf(page)).toMatch(/^This link is incomplete/);
    expect(await page.getByRole("button").isVisible()).toBe(false);
    await page.goto(link);
    await page.route("**/api/**", (route) => route.abort());
    await press(page);
    await expect.poll(() => alertOf(page)).toMatch(/^No response\./);
    await page.unroute("**/api/**");
    await page.keyboard.press("Enter");
    await expect.poll(() => statusOf(page)).toMatch(/^Your address is confirmed\./);
  });
});
