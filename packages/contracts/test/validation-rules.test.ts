import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { clone, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate as runtime } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../../..");
const path = "buf/validate/validate.proto";

describe("the vendored validation rules", () => {
  it("are the ones that the validator was made from", async () => {
    expect(bytesOf(await vendored())).toEqual(bytesOf(runtime.proto));
  });
});

/** What the compiler makes of the file in third_party. */
async function vendored(): Promise<FileDescriptorProto> {
  const folder = await mkdtemp(join(tmpdir(), "rialto-contract-"));
  try {
    const set = join(folder, "set.binpb");
    const flags = [
      "build",
      "third_party",
      "--as-file-descriptor-set",
      "--exclude-source-info",
      "--path",
      `third_party/${path}`,
    ];
    await promisify(execFile)("buf", [...flags, "-o", set], { cwd: root });
    const files = fromBinary(FileDescriptorSetSchema, await readFile(set)).file;
    const file = files.find(({ name }) => name === path);
    if (file === undefined) throw new Error(`${path} is not in the set: ${files.map(({ name }) => name).join(", ")}`);
    return file;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The file as bytes, the rules' own CEL expressions included, without what says where the text stood. */
function bytesOf(file: FileDescriptorProto): string {
  const copy = clone(FileDescriptorProtoSchema, file);
  delete copy.sourceCodeInfo;
  return Buffer.from(toBinary(FileDescriptorProtoSchema, copy)).toString("latin1");
}
