import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectLoad } from "../load/rpc-load.ts";
import { type Program, script, serverSubject } from "./server.ts";
import type { Bench, Subject } from "./subject.ts";

/**
 * The service behind both proxies: raw node:http, which costs little. Like the load generator it is the same on both
 * sides, so its CPU does not count, and the ratio is that of the proxies alone.
 */
const backend = script("baselines/raw-http.js", { name: "backend", isCounted: false });

function missingOf({ tools }: Bench): string | undefined {
  if (tools.wrk === undefined) return "wrk";
  return tools.baselines ? undefined : "the baselines' packages";
}

/** Rialto's gateway: checks the customer's access token, counts the request, writes its access log. */
export function gateway(bench: Bench): Subject {
  const env: Program["env"] = (at) => ({
    BENCH_KEYS: JSON.stringify(at.bench.keys),
    BENCH_UPSTREAM: `http://127.0.0.1:${at.portOf("backend")}`,
  });
  return serverSubject({
    name: "gateway",
    missing: missingOf(bench),
    programs: [backend, script("programs/gateway.ts", { name: "gateway", env })],
    load: connectLoad("json", "customer"),
  });
}

/** nginx, one worker, connections to the service kept alive, access log written. It checks no token. */
export function nginx(bench: Bench): Subject {
  const command = bench.tools.nginx;
  return serverSubject({
    name: "nginx",
    missing: command === undefined ? "nginx" : missingOf(bench),
    programs: [
      backend,
      {
        name: "nginx",
        command,
        args: ({ folder, port, portOf }) => {
          const file = join(folder, "nginx.conf");
          writeFileSync(file, nginxConfiguration(folder, port, portOf("backend")));
          return ["-c", file, "-p", folder, "-e", join(folder, "nginx-error.log")];
        },
      },
    ],
    load: connectLoad("json", "customer"),
  });
}

/** The service without a proxy. */
export function direct(bench: Bench): Subject {
  return serverSubject({
    name: "direct",
    missing: missingOf(bench),
    programs: [script("baselines/raw-http.js")],
    load: connectLoad("json", "customer"),
  });
}

function nginxConfiguration(folder: string, port: number, backendPort: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${folder}/${name};`)
    .join("\n");
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
worker_rlimit_nofile 32768;
events { worker_connections 16384; }
http {
${temporary}
  access_log /dev/stdout combined;
  client_max_body_size 128k;
  keepalive_requests 1000000;
  upstream backend {
    server 127.0.0.1:${backendPort};
    keepalive 64;
    keepalive_requests 1000000;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`;
}
