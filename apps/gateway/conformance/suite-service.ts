import { clone, create, createFileRegistry, type DescFile, type DescService, setExtension } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { ConformanceService } from "@rialto/connect/conformance";
import { AccessSchema, access, RequestSizeSchema, Role, request_size } from "@rialto/contracts";
import { messageBytesMax } from "@rialto/rpc";

/**
 * Returns the suite's service as the gateway needs it: with the options that each method of a contract of Rialto has.
 * Everybody may call it, with requests as large as messages may be.
 */
export function publishedSuiteService(): DescService {
  const proto = clone(FileDescriptorProtoSchema, ConformanceService.file.proto);
  for (const method of proto.service.flatMap((service) => service.method)) {
    method.options ??= create(MethodOptionsSchema);
    setExtension(method.options, access, create(AccessSchema, { roles: [Role.PUBLIC] }));
    setExtension(method.options, request_size, create(RequestSizeSchema, { bytes: messageBytesMax }));
  }
  const others = dependenciesOf(ConformanceService.file).map((file) => file.proto);
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...others, proto] }));
  const service = registry.getService(ConformanceService.typeName);
  if (service === undefined) throw new Error("the suite's protos have no service");
  return service;
}

/** The files below a file, each after those that it needs. */
function dependenciesOf(file: DescFile): readonly DescFile[] {
  return [...new Set(file.dependencies.flatMap((below) => [...dependenciesOf(below), below]))];
}
