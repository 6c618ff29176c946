import { generateKeyPairSync } from "node:crypto";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../src/config/config.ts";
import { ConfigurationError } from "../src/config/configuration-error.ts";
import type { ConfigScope } from "../src/config/required-variables.ts";
import { callerNames } from "../src/service-name.ts";

const everything: ConfigScope = { runs: callerNames, extraSchemas: ["card_network"] };

describe("readConfig", () => {
  it("needs nothing from a developer who runs everything in one process", () => {
    const config = readConfig({}, everything);
    expect(config).toMatchObject({ production: false, demo: true, databaseUrl: undefined, redisUrl: undefined });
  });

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
    expect(lines).toContain("RIALTO_ORDER_URL must be one or more http:// or https:// URLs, separated by commas");
    expect(lines.every((line) => !line.includes("\n"))).toBe(true);
  });

  it("never repeats a value, which may be a secret", () => {
    const lines = linesOf({ RIALTO_SECRET: "hunter2", RIALTO_SIGNING_KEY: "hunter2", DATABASE_URL: "hunter2" });
    expect(lines.join()).not.toContain("hunter2");
  });

  it("takes only an address for the admin that an account can have", () => {
    const lineOf = (email: string) => linesOf({ RIALTO_ADMIN_EMAIL: email });
    expect(readConfig({ RIALTO_ADMIN_EMAIL: "Admin+1@shop.example" }).adminEmail).toBe("Admin+1@shop.example");
    for (const email of ["admin", "admın@shop.example", "a b@shop.example", "a@b@c", "<a@b>"])
      expect(lineOf(email)).toEqual(["RIALTO_ADMIN_EMAIL must be an e-mail address, in ASCII"]);
  });

  it.each(["0x50", "1e3", " 80", "65536", "-1", "8080.0"])("takes no other spelling of a port: %j", (PORT) => {
    expect(() => readConfig({ PORT })).toThrow("PORT must be a port number, 0 to 65535");
  });

  it("takes an empty variable for one that was not set", () => {
    expect(readConfig({ PORT: "", DATABASE_URL: "" }, everything).port).toBeUndefined();
  });

  it("finds the data folder from where npm was called, which runs a workspace's script inside the workspace", () => {
    const npm = { INIT_CWD: "/somewhere", npm_package_json: resolve("package.json") };
    expect(readConfig(npm).dataDir).toBe("/somewhere/.rialto");
    expect(readConfig({ ...npm, RIALTO_DATA_DIR: "/elsewhere" }).dataDir).toBe("/elsewhere");
    expect(readConfig({ ...npm, npm_package_json: "/another/package.json" }).dataDir).toBe(resolve(".rialto"));
  });

  it("takes several replicas of a service", () => {
    const { serviceUrls } = readConfig({ RIALTO_ORDER_URL: "http://a:1, https://b/" });
    expect(serviceUrls.order).toEqual(["http://a:1", "https://b"]);
  });

  it("asks a service that runs alone for a database and for a place where jobs wait", () => {
    const lines = linesOf({}, { runs: ["payment"], extraSchemas: ["card_network"] });
    expect(lines.map((line) => line.split(" ", 1)[0])).toEqual([
      "RIALTO_PAYMENT_DATABASE_URL",
      "RIALTO_CARD_NETWORK_DATABASE_URL",
      "REDIS_URL",
    ]);
  });

  it("believes X-Forwarded-For of trusted proxies, or Forwarded where it is told so, and no other header", () => {
    const headerOf = (value: string) => readConfig({ RIALTO_FORWARDED_HEADER: value }).forwardedHeader;
    expect([headerOf(""), headerOf("forwarded")]).toEqual(["x-forwarded-for", "forwarded"]);
    const lines = linesOf({ RIALTO_FORWARDED_HEADER: "x-real-ip" });
    expect(lines).toEqual(["RIALTO_FORWARDED_HEADER must be one of forwarded, x-forwarded-for"]);
  });

  it("asks the gateway for no database", () => {
    expect(readConfig({}, { runs: ["gateway"] }).databaseUrl).toBeUndefined();
  });
});

describe("stopping and reflection", () => {
  it("drain for a while and tell nothing in production, and the reverse in development, unless the environment says so", () => {
    const read = (env: Record<string, string>) => {
      const { drainSeconds, reflection } = readConfig(env);
      return [drainSeconds, reflection];
    };
    expect([read({}), read({ NODE_ENV: "production" })]).toEqual([
      [0, true],
      [5, false],
    ]);
    const given = { RIALTO_DRAIN_SECONDS: "0", RIALTO_REFLECTION: "on" };
    expect(read({ ...given, NODE_ENV: "production" })).toEqual([0, true]);
    expect(linesOf({ RIALTO_DRAIN_SECONDS: "soon" })).toEqual([
      "RIALTO_DRAIN_SECONDS must be a whole number from 0 to 600",
    ]);
  });
});

describe("where it listens", () => {
  it("is this machine only in development, all addresses in production, and the one that RIALTO_HOST names", () => {
    expect(readConfig({}).host).toBe("127.0.0.1");
    expect(readConfig({ NODE_ENV: "production" }).host).toBeUndefined();
    expect(readConfig({ RIALTO_HOST: "0.0.0.0" }).host).toBe("0.0.0.0");
    expect(readConfig({ NODE_ENV: "production", RIALTO_HOST: "[::1]" }).host).toBe("::1");
    expect(linesOf({ RIALTO_HOST: "everywhere" })[0]).toMatch(/^RIALTO_HOST must be an IP address/);
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
  const refused = (env: Record<string, string>, runs: ConfigScope["runs"] = callerNames) =>
    namesOf({ NODE_ENV: "production", ...env }, { runs });

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
    expect(namesOf({ NODE_ENV: "production", RIALTO_ARGON2_COST: "test" }, everything)).toEqual([
      "DATABASE_URL",
      "RIALTO_SECRET",
      "RIALTO_SIGNING_KEY",
      "SMTP_URL",
      "RIALTO_PUBLIC_URL",
      "RIALTO_PAYMENT_PROVIDER",
      "RIALTO_ARGON2_COST",
    ]);
  });

  it("asks who sends mails where people reach the shop: a made-up link would lead to the reader's own machine", () => {
    const env = { NODE_ENV: "production", DATABASE_URL: "postgres://db/rialto", SMTP_URL: "smtp://mail" };
    expect(namesOf(env, { runs: ["notification"] })).toContain("RIALTO_PUBLIC_URL");
    expect(namesOf(env, { runs: ["order"] })).not.toContain("RIALTO_PUBLIC_URL");
    const given = { ...env, RIALTO_PUBLIC_URL: "https://shop.example/" };
    expect(namesOf(given, { runs: ["notification"] })).not.toContain("RIALTO_PUBLIC_URL");
    expect(readConfig(given).publicUrl).toBe("https://shop.example");
  });

  it("is said by that word: another one is refused, and not taken for development", () => {
    for (const NODE_ENV of ["prod", "PRODUCTION", "staging", "production "])
      expect(linesOf({ NODE_ENV }, everything)).toEqual(["NODE_ENV must be one of production, development, test"]);
    const isProduction = (NODE_ENV?: string) => readConfig(NODE_ENV === undefined ? {} : { NODE_ENV }).production;
    expect(["production", "development", "test", undefined].map(isProduction)).toEqual([true, false, false, false]);
  });

  it("asks a service that runs alone for its own key and everybody's public ones", () => {
    const names = namesOf({ NODE_ENV: "production", DATABASE_URL: "postgres://db/rialto" }, { runs: ["order"] });
    expect(names).toEqual(["RIALTO_SECRET", "RIALTO_SERVICE_KEY", "RIALTO_SERVICE_PUBLIC_KEYS"]);
  });

  it("makes no demo catalog unless it is told to", () => {
    expect(readConfig({ NODE_ENV: "production" }).demo).toBe(false);
    expect(readConfig({ NODE_ENV: "production", RIALTO_DEMO: "true" }).demo).toBe(true);
  });
});

function linesOf(env: Record<string, string>, scope?: ConfigScope): readonly string[] {
  try {
    readConfig(env, scope);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.lines;
    throw error;
  }
}

function namesOf(env: Record<string, string>, scope: ConfigScope): readonly (string | undefined)[] {
  return linesOf(env, scope).map((line) => line.split(" ", 1)[0]);
}
