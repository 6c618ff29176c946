import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { redisForTests } from "../src/index.ts";

describe("redisForTests", () => {
  it("starts servers that do not meet and are gone when closed", async () => {
    const [one, other] = await Promise.all([redisForTests(), redisForTests()]);
    expect(one === undefined).toBe(other === undefined);
    if (one === undefined || other === undefined) return;
    expect(one.url).not.toBe(other.url);
    await Promise.all([one.close(), other.close()]);
    expect(await isRefused(one.port)).toBe(true);
  });

  it("starts none that outlives the process that started it, however that ends", async () => {
    const module = new URL("../src/servers/redis.ts", import.meta.url).href;
    const program = `const { redisForTests } = await import(${JSON.stringify(module)});
      process.stdout.write(\`\${(await redisForTests())?.port ?? "none"}\\n\`); setInterval(() => undefined, 1_000);`;
    const owner = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [line] = await once(owner.stdout, "data");
    const port = `${line}`.trim();
    if (port !== "none") expect(await isRefused(Number(port))).toBe(false);
    const ended = once(owner, "exit");
    owner.kill("SIGKILL");
    await ended;
    if (port !== "none") await expect.poll(() => isRefused(Number(port))).toBe(true);
  });
});

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(true));
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
  });
}
