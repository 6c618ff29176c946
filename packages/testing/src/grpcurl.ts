import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { goProgram } from "./go-program.ts";

const program = {
  name: "grpcurl",
  module: "github.com/fullstorydev/grpcurl",
  version: "v1.9.3",
  folder: "cmd/grpcurl",
} as const;

/**
 * Runs grpcurl and gives what it prints. Rejects with the error of `execFile`, whose `code` is 64 and gRPC's where the
 * call was refused.
 */
export type Grpcurl = (...args: readonly string[]) => Promise<string>;

/** grpcurl, which calls by grpc-go; undefined, with what is left out said by name, where it cannot be had. */
export async function grpcurl(leftOut: string): Promise<Grpcurl | undefined> {
  const file = await goProgram(program, leftOut);
  if (file === undefined) return undefined;
  return async (...args) => (await promisify(execFile)(file, [...args], { timeout: 60_000 })).stdout;
}
