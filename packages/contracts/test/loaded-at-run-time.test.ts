import { readdirSync } from "node:fs";
import { join } from "node:path";
import { loadSync } from "@grpc/proto-loader";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../../..");
const folder = join(root, "proto");

it.each(readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".proto")))(
  "%s is read by a client that loads proto files at run time, which knows less of the syntax than protoc",
  (name) => {
    const loaded = loadSync(name, { includeDirs: [folder, join(root, "third_party")] });
    expect(Object.keys(loaded).length).toBeGreaterThan(0);
  },
);
