import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@rialto/testing";

/** What passes connections on to several ports in turn, as a load balancer of connections does. */
export interface Balancer {
  readonly kind: "nginx" | "node";
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Starts nginx's stream balancer where it is installed, else one of ours with the same rules: a connection that is
 * refused goes to the next server, nothing else is repeated, and no health is checked.
 */
export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  return (await startNginx(ports)) ?? startOwn(ports);
}

/** Returns undefined where there is no nginx, or none with its stream module. */
async function startNginx(ports: readonly number[]): Promise<Balancer | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "rialto-nginx-"));
  const port = await freePort();
  const servers = ports.map((to) => `    server 127.0.0.1:${to} max_fails=0;`).join("\n");
  const modules = "include /etc/nginx/modules-enabled/*.conf;";
  const config = `${modules}
daemon off;
pid ${folder}/pid;
error_log ${folder}/error.log;
events { worker_connections 1024; }
stream {
  upstream gateways {
${servers}
  }
  server {
    listen 127.0.0.1:${port};
    proxy_pass gateways;
    proxy_connect_timeout 2s;
  }
}
`;
  await writeFile(join(folder, "nginx.conf"), config);
  // Its own prefix stays: the files in modules-enabled name modules relative to it.
  const options = ["-e", join(folder, "error.log"), "-c", join(folder, "nginx.conf")];
  if (spawnSync("nginx", ["-t", ...options]).status !== 0) {
    await rm(folder, { recursive: true });
    return undefined;
  }
  const child = spawn("nginx", options, { stdio: ["ignore", "ignore", "inherit"] });
  await untilListening(port, child);
  return {
    kind: "nginx",
    port,
    async close() {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
      await rm(folder, { recursive: true });
    },
  };
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error("nginx does not start");
    const socket = connect(port, "127.0.0.1");
    const isOpen = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await sleep(20);
  }
}

async function startOwn(ports: readonly number[]): Promise<Balancer> {
  const sockets = new Set<Socket>();
  let turn = 0;
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    keep(near);
    const first = turn++;
    const next = (tries: number) => {
      if (tries === ports.length) return void near.destroy();
      const far = connect({
        port: ports[(first + tries) % ports.length] ?? 0,
        host: "127.0.0.1",
        noDelay: true,
        allowHalfOpen: true,
      });
      far.once("error", () => next(tries + 1));
      far.once("connect", () => {
        far.removeAllListeners("error");
        keep(far);
        near.once("close", () => far.destroy());
        far.once("close", () => near.destroy());
        near.pipe(far).pipe(near);
      });
    };
    next(0);
  });
  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.on("error", () => socket.destroy()).once("close", () => sockets.delete(socket));
  }
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    kind: "node",
    port: typeof address === "object" && address !== null ? address.port : 0,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
