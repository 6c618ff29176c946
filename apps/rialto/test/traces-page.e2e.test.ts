import { openChromium } from "@rialto/testing/chromium";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRestClient, type RestClient } from "./rest-client.ts";
import { admin, oneProcess, type Topology } from "./topology.ts";

const subject = "the page that shows traces";
const browser = await openChromium(subject);

let topology: Topology;
let client: RestClient;
let product: string;
let page: Page;
beforeAll(async () => {
  if (browser === undefined) return;
  const env = { RIALTO_ARGON2_COST: "test", RIALTO_LOG_LEVEL: "info", OTEL_SDK_DISABLED: "false" };
  topology = await oneProcess("postgres", env);
  client = await openRestClient(topology);
  product = await client.product({ stock: 10 });
  // High enough for all rows: only those on the screen are in the document.
  page = await browser.newPage({ viewport: { width: 1280, height: 4_000 } });
  await page.goto(`${topology.url}/traces`);
  await page.getByLabel("E-mail address").fill(admin.email);
  await page.getByLabel("Password").fill(admin.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Last traces" }).waitFor();
});
afterAll(async () => {
  await browser?.close();
  await topology?.stop();
});

/** Places an order and shows it, once all that it causes is in its traces. */
async function show(card: string, last: string): Promise<string> {
  const { token } = await client.customer();
  const { id } = await client.order(token, product, { card });
  await client.settled(token, id);
  const rows = page.getByRole("treeitem");
  const look = async () => {
    await page.getByRole("searchbox").fill(id);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: id }).waitFor();
    return (await rows.allTextContents()).join("\n");
  };
  await expect.poll(look).toContain(last);
  return id;
}

describe.skipIf(browser === undefined)(subject, () => {
  it("says of a real order that its card was declined, from its id alone, and where", async () => {
    await show("pm_test_declined", "send mail");
    expect(await page.locator(".causes").textContent()).toMatch(
      /The order was rejected.*PAYMENT_DECLINED.*checkout authorize-payment, order.*The card was refused\./,
    );
    await page.getByRole("button", { name: /^Show/ }).click();
    const chosen = page.locator("[role=treeitem]:focus");
    expect(await chosen.textContent()).toMatch(/checkout authorize-payment.*PAYMENT_DECLINED/);
    expect(await page.getByRole("treeitem", { name: "info refused PAYMENT_DECLINED" }).count()).toBe(1);
  });

  it("shows the request, calls, statements, events and log lines of a confirmed order, and says that nothing failed", async () => {
    await show("pm_test_approved", "send mail");
    expect(await page.locator(".causes").textContent()).toBe("Nothing failed, and nothing was refused.");
    const shown = (await page.getByRole("treeitem").allTextContents()).join("\n");
    for (const name of ["POST /api/orders", "OrderService/CreateOrder", "process order.placed", "info"])
      expect(shown).toContain(name);
    expect(shown).toMatch(/INSERT|UPDATE|SELECT|WITH/);
  });
});
