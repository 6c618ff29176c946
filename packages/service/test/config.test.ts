import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../src/config/config.ts";
import type { ConfigScope } from "../src/config/required-variables.ts";
import { ConfigurationError } from "../src/config/variable.ts";
import { callerNames } from "../src/service-name.ts";

const everything: ConfigScope = { runs: callerNames, extraSchemas: ["card_network"] };

describe("readConfig", () => {
  it("needs nothing from a developer who runs everything in one process", () => {
    const config = readConfig({}, everything);
    expect(config).toMatchObject({ production: false, databaseUrl: undefined, redisUrl: undefined });
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

  it("takes a DNS name whose addresses are the replicas, and says what a URL of a service looks like", () => {
    const { serviceUrls } = readConfig({ RIALTO_ORDER_URL: "dns:///order:8083, dns+https://10.0.0.10/order:8083" });
    expect(serviceUrls.order).toEqual(["dns:///order:8083", "dns+https://10.0.0.10/order:8083"]);
    expect(linesOf({ RIALTO_ORDER_URL: "dns:order:8083" })).toContain(
      "RIALTO_ORDER_URL must be one or more URLs, separated by commas: http://, https:// or dns:///NAME:PORT",
    );
  });

  it("asks a service that runs alone for a database and for a place where jobs wait", () => {
    const lines = linesOf({}, { runs: ["payment"], extraSchemas: ["card_network"] });
    expect(lines.map((line) => line.split(" ", 1)[0])).toEqual([
      "RIALTO_PAYMENT_DATABASE_URL",
      "RIALTO_CARD_NETWORK_DATABASE_URL",
      "REDIS_URL",
    ]);
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

function linesOf(env: Record<string, string>, scope?: ConfigScope): readonly string[] {
  try {
    readConfig(env, scope);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.lines;
    throw error;
  }
}
