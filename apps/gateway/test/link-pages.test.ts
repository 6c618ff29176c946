import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
beforeEach(async () => {
  system = await startStubSystem();
});
afterEach(() => system.close());

/** Returns the content of every element of this name. */
function contents(html: string, element: string): (string | undefined)[] {
  return [...html.matchAll(new RegExp(`<${element}[^>]*>(.*?)</${element}>`, "gs"))].map((match) => match[1]);
}

function hashOf(text = ""): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

const pages = [
  ["a reset mail", "/reset-password"],
  ["a mail that confirms an address", "/confirm-email"],
] as const;

describe.each(pages)("the page that the link in %s opens", (_, path) => {
  const get = (init?: RequestInit) => fetch(`${system.url}${path}`, init);

  it("may run its one script, have its one style and call where it came from, and nothing else", async () => {
    const response = await get();
    const html = await response.text();
    const [scripts, styles] = [contents(html, "script"), contents(html, "style")];
    expect([response.status, scripts.length, styles.length]).toEqual([200, 1, 1]);
    expect(response.headers.get("content-security-policy")?.split("; ")).toEqual([
      "default-src 'none'",
      `script-src ${hashOf(scripts[0])}`,
      `style-src ${hashOf(styles[0])}`,
      "connect-src 'self'",
      "form-action 'none'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ]);
    expect(html).not.toMatch(/https?:|\ssrc=|<link|<img|@import|url\(|\sstyle=|\son[a-z]+=/);
  });

  it("is not framed, sends no referrer, and is cached as long as /docs", async () => {
    const { headers } = await get();
    const docs = await fetch(`${system.url}/docs`);
    expect(Object.fromEntries(headers)).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "cache-control": docs.headers.get("cache-control"),
    });
  });

  it("answers HEAD alike, and takes no POST", async () => {
    const page = await get();
    const head = await get({ method: "HEAD" });
    const length = String(Buffer.byteLength(await page.text()));
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, length, ""]);
    const headers = [page, head].map(({ headers }) => headers.get("content-security-policy"));
    expect(headers[0]).toBe(headers[1]);
    expect((await get({ method: "POST" })).status).toBe(405);
  });

  it("is in the log by its name alone", async () => {
    await fetch(`${system.url}${path}?token=a-secret-in-the-wrong-place`);
    await expect.poll(() => system.lines.at(-1)).toMatchObject({ route: path, status: 200 });
    expect(JSON.stringify(system.lines)).not.toContain("a-secret");
  });
});

describe("what the pages call", () => {
  it("takes where it calls and what a password must be from the contract", async () => {
    const html = await (await fetch(`${system.url}/reset-password`)).text();
    expect(html).toContain('action="api/auth/password-reset/confirm"');
    expect(html).toContain("At least 8 characters, at most 128.");
  });

  it("is taken from the contract for an address, too, and by POST alone", async () => {
    const html = await (await fetch(`${system.url}/confirm-email`)).text();
    expect(html).toContain('action="api/auth/email-confirmation/confirm"');
    const opened = await fetch(`${system.url}/api/auth/email-confirmation/confirm?token=a`);
    expect([opened.status, opened.headers.get("allow")]).toEqual([405, "POST"]);
  });
});
