import { generateKeyPairSync } from "node:crypto";
import { gatewayVariables } from "@rialto/gateway";
import { notificationVariables } from "@rialto/notification/config";
import { product } from "@rialto/product";
import { readConfig } from "@rialto/service";
import { type CallerName, ConfigurationError, callerNames } from "@rialto/service/config";
import { userVariables } from "@rialto/user/config";
import { describe, expect, it } from "vitest";
import { services } from "../src/services.ts";

describe("the configuration of all services", () => {
  it("names every variable that is wrong at once, each in one line with its rule", () => {
    const lines = linesOf({
      PORT: "http",
      DATABASE_URL: "mysql://localhost/rialto",
      RIALTO_SECRET: "short",
      RIALTO_ORDER_URL: "order:8083",
      RIALTO_CARD_NETWORK_DATABASE_URL: "localhost",
      RIALTO_ARGON2_COST: "free",
      RIALTO_SERVICE_PUBLIC_KEYS: "{",
    });
    expect(lines).toHaveLength(7);
    expect(lines).toContain("PORT must be a port number, 0 to 65535 (0 takes a free one)");
    expect(lines).toContain("DATABASE_URL must be a URL that begins with postgres:// or postgresql://");
    expect(lines).toContain("RIALTO_SECRET must be 32 to 1024 characters long");
    expect(lines).toContain(
      "RIALTO_ORDER_URL must be one or more URLs, separated by commas: http://, https:// or dns:///NAME:PORT",
    );
    expect(lines.every((line) => !line.includes("\n"))).toBe(true);
  });

  it("never repeats a value, which may be a secret", () => {
    const lines = linesOf({ RIALTO_SECRET: "hunter2", RIALTO_SIGNING_KEY: "hunter2", DATABASE_URL: "hunter2" });
    expect(lines.join()).not.toContain("hunter2");
  });

  it("takes only an address for the admin that an account can have", () => {
    const lineOf = (email: string) => linesOf({ RIALTO_ADMIN_EMAIL: email });
    expect(readConfig({ RIALTO_ADMIN_EMAIL: "Admin+1@shop.example" }).read(userVariables).adminEmail).toBe(
      "Admin+1@shop.example",
    );
    for (const email of ["admin", "admın@shop.example", "a b@shop.example", "a@b@c", "<a@b>"])
      expect(lineOf(email)).toEqual(["RIALTO_ADMIN_EMAIL must be an e-mail address, in ASCII"]);
  });

  it("believes X-Forwarded-For of trusted proxies, or Forwarded where it is told so, and no other header", () => {
    const headerOf = (value: string) =>
      readConfig({ RIALTO_FORWARDED_HEADER: value }).read(gatewayVariables).forwardedHeader;
    expect([headerOf(""), headerOf("forwarded")]).toEqual(["x-forwarded-for", "forwarded"]);
    const lines = linesOf({ RIALTO_FORWARDED_HEADER: "x-real-ip" });
    expect(lines).toEqual(["RIALTO_FORWARDED_HEADER must be one of forwarded, x-forwarded-for"]);
  });
});

describe("a URL that others are made from", () => {
  it.each([
    "https://shop.example/#",
    "https://shop.example/?a=b",
    "https://me@shop.example",
    "https://a:b@shop.example",
  ])("is refused where it has a user, a query or a fragment: %s", (url) => {
    expect(linesOf({ RIALTO_PUBLIC_URL: url })).toHaveLength(1);
    expect(linesOf({ RIALTO_ORDER_URL: url })).toHaveLength(1);
  });
});

describe("a private key", () => {
  it("is refused where its halves do not belong together", () => {
    const jwk = () => ({ ...generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }), kid: "one" });
    const key = jwk();
    const read = (given: unknown) => linesOf({ RIALTO_SIGNING_KEY: JSON.stringify(given) });
    expect(read(key)).toEqual([]);
    expect(read({ ...key, x: jwk().x })).toEqual([
      "RIALTO_SIGNING_KEY must have an x that belongs to its d: what it signs would be refused",
    ]);
    expect(linesOf({ RIALTO_SERVICE_KEY: JSON.stringify({ ...key, d: jwk().d }) })).toHaveLength(1);
  });
});

describe("production", () => {
  const refused = (env: Record<string, string>, runs?: readonly CallerName[]) =>
    namesOf({ NODE_ENV: "production", ...env }, runs);

  it("takes no public URL in clear but one of this machine", () => {
    for (const url of ["http://shop.example", "http://127.0.0.1.example"])
      expect(refused({ RIALTO_PUBLIC_URL: url })).toContain("RIALTO_PUBLIC_URL");
    for (const url of ["https://shop.example", "http://localhost:8080"])
      expect(refused({ RIALTO_PUBLIC_URL: url })).not.toContain("RIALTO_PUBLIC_URL");
  });

  it.each(["0.0.0.0/0", "10.0.0.1,128.0.0.0/1", "::/0", "::ffff:0:0/96", "0:0:0:0:0:ffff:0:0/97", "2000::/3"])(
    "trusts no proxies in a block as wide as %s",
    (blocks) => {
      expect(refused({ RIALTO_TRUSTED_PROXIES: blocks })).toContain("RIALTO_TRUSTED_PROXIES");
      expect(refused({ RIALTO_BACKEND_ADDRESSES: blocks })).toContain("RIALTO_BACKEND_ADDRESSES");
      expect(linesOf({ RIALTO_TRUSTED_PROXIES: blocks })).toEqual([]);
    },
  );

  it("trusts proxies in private networks", () => {
    const blocks = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7,::ffff:10.0.0.0/104";
    expect(refused({ RIALTO_TRUSTED_PROXIES: blocks })).not.toContain("RIALTO_TRUSTED_PROXIES");
  });

  it("takes no weak password for the admin where the accounts are", () => {
    for (const password of ["short-pw", "aaaaaaaaaaaaaaaa", "rialto-on-my-machine", "admin@rialto.example"]) {
      expect(refused({ RIALTO_ADMIN_PASSWORD: password }), password).toContain("RIALTO_ADMIN_PASSWORD");
      expect(refused({ RIALTO_ADMIN_PASSWORD: password }, ["order"])).not.toContain("RIALTO_ADMIN_PASSWORD");
    }
    expect(refused({ RIALTO_ADMIN_PASSWORD: "correct horse battery" })).not.toContain("RIALTO_ADMIN_PASSWORD");
  });

  it("takes no key of a service that the others would not know", () => {
    const pair = generateKeyPairSync("ed25519");
    const key = { ...pair.privateKey.export({ format: "jwk" }), kid: "order" };
    const env = (kid: string) => ({
      RIALTO_SERVICE_KEY: JSON.stringify(key),
      RIALTO_SERVICE_PUBLIC_KEYS: JSON.stringify({ keys: [{ ...pair.publicKey.export({ format: "jwk" }), kid }] }),
    });
    expect(refused(env("order"), ["order"])).not.toContain("RIALTO_SERVICE_PUBLIC_KEYS");
    expect(refused(env("user"), ["order"])).toContain("RIALTO_SERVICE_PUBLIC_KEYS");
  });

  it("refuses each thing that development makes up, by the variable's name", () => {
    expect(namesOf({ NODE_ENV: "production", RIALTO_ARGON2_COST: "test" }).toSorted()).toEqual([
      "DATABASE_URL",
      "RIALTO_ARGON2_COST",
      "RIALTO_PAYMENT_PROVIDER",
      "RIALTO_PUBLIC_URL",
      "RIALTO_SECRET",
      "RIALTO_SIGNING_KEY",
      "SMTP_URL",
    ]);
  });

  it("asks who sends mails where people reach the shop: a made-up link would lead to the reader's own machine", () => {
    const env = { NODE_ENV: "production", DATABASE_URL: "postgres://db/rialto", SMTP_URL: "smtp://mail" };
    expect(namesOf(env, ["notification"])).toContain("RIALTO_PUBLIC_URL");
    expect(namesOf(env, ["order"])).not.toContain("RIALTO_PUBLIC_URL");
    const given = { ...env, RIALTO_PUBLIC_URL: "https://shop.example/" };
    expect(namesOf(given, ["notification"])).not.toContain("RIALTO_PUBLIC_URL");
    expect(readConfig(given).read(notificationVariables).publicUrl).toBe("https://shop.example");
  });

  it("is said by that word: another one is refused, and not taken for development", () => {
    for (const NODE_ENV of ["prod", "PRODUCTION", "staging", "production "])
      expect(linesOf({ NODE_ENV })).toEqual(["NODE_ENV must be one of production, development, test"]);
    const isProduction = (NODE_ENV?: string) => readConfig(NODE_ENV === undefined ? {} : { NODE_ENV }).production;
    expect(["production", "development", "test", undefined].map(isProduction)).toEqual([true, false, false, false]);
  });

  it("asks a service that runs alone for its own key and everybody's public ones", () => {
    const names = namesOf({ NODE_ENV: "production", DATABASE_URL: "postgres://db/rialto" }, ["order"]);
    expect(names).toEqual(["RIALTO_SECRET", "RIALTO_SERVICE_KEY", "RIALTO_SERVICE_PUBLIC_KEYS"]);
  });

  it("makes no demo catalog unless it is told to", () => {
    const hasDemo = (env: Record<string, string>) => readConfig(env).read(product.config);
    expect(hasDemo({ NODE_ENV: "production" })).toMatchObject({ demo: false });
    expect(hasDemo({ NODE_ENV: "production", RIALTO_DEMO: "true" })).toMatchObject({ demo: true });
    expect(hasDemo({})).toMatchObject({ demo: true });
  });
});

/** What is wrong with an environment for a process that runs these, all of them by default. */
function linesOf(env: Record<string, string>, runs: readonly CallerName[] = callerNames): readonly string[] {
  const declared = services.filter(({ name }) => runs.includes(name)).map(({ config }) => config);
  const variables = runs.includes("gateway") ? [gatewayVariables, ...declared] : declared;
  try {
    readConfig(env, { runs, extraSchemas: ["card_network"], variables });
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.lines;
    throw error;
  }
}

function namesOf(env: Record<string, string>, runs?: readonly CallerName[]): readonly (string | undefined)[] {
  return linesOf(env, runs).map((line) => line.split(" ", 1)[0]);
}
