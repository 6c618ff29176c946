import { clone, type DescFile, type DescMethod, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** A request message of gRPC's reflection, the same in v1 and v1alpha. */
export type ReflectionQuestion =
  | { readonly case: "fileByFilename"; readonly value: string }
  | { readonly case: "fileContainingSymbol"; readonly value: string }
  | {
      readonly case: "fileContainingExtension";
      readonly value: { readonly containingType: string; readonly extensionNumber: number };
    }
  | { readonly case: "allExtensionNumbersOfType"; readonly value: string }
  | { readonly case: "listServices"; readonly value: string }
  | { readonly case: undefined; readonly value?: undefined };

/** A response message. */
export type ReflectionAnswer =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "allExtensionNumbersResponse"; value: { baseTypeName: string; extensionNumber: number[] } }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

/**
 * Creates a function that answers reflection from descriptors: the services, and every file that they depend on.
 * Methods that are not listed, and services without a listed method, are in no response. Files are serialized once. A
 * file that was sent on a stream is not sent on it again, as reflection.proto allows, except for the requested one:
 * `sent` holds their names.
 */
export function createReflection(
  services: readonly DescService[],
  isListed: (method: DescMethod) => boolean,
): (question: ReflectionQuestion, sent: Set<string>) => ReflectionAnswer {
  const listed = services.filter((service) => service.methods.some(isListed));
  const hidden = new Set(
    services.flatMap((service) => service.methods.filter((method) => !isListed(method)).map(nameOfMethod)),
  );
  const files = filesOf(services.map((service) => service.file));
  const byName = new Map(files.map((file) => [file.proto.name, file]));
  const bySymbol = new Map(files.flatMap((file) => symbolsOf(file).map((symbol) => [symbol, file] as const)));
  const extensions = files.flatMap((file) => extensionsOf(file).map((desc) => ({ file, desc })));
  for (const name of hidden) bySymbol.delete(name);
  for (const service of services) if (!listed.includes(service)) bySymbol.delete(service.typeName);

  const serialized = new Map(
    files.map(({ proto }) => [proto.name, toBinary(FileDescriptorProtoSchema, withoutHidden(proto, hidden))]),
  );
  const needed = new Map(files.map((file) => [file, filesOf([file]).map(({ proto }) => proto.name)]));

  const withDependencies = (file: DescFile | undefined, sent: Set<string>): ReflectionAnswer => {
    if (file === undefined) return notFound;
    const asked = file.proto.name;
    const names = (needed.get(file) ?? []).filter((name) => name === asked || !sent.has(name));
    for (const name of names) sent.add(name);
    const fileDescriptorProto = names.flatMap((name) => serialized.get(name) ?? []);
    return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
  };

  return (question, sent) => {
    switch (question.case) {
      case "listServices": {
        const service = listed.map(({ typeName }) => ({ name: typeName }));
        return { case: "listServicesResponse", value: { service } };
      }
      case "fileByFilename":
        return withDependencies(byName.get(question.value), sent);
      case "fileContainingSymbol":
        return withDependencies(bySymbol.get(question.value), sent);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = question.value;
        const found = extensions.find(
          ({ desc }) => desc.extendee.typeName === containingType && desc.number === extensionNumber,
        );
        return withDependencies(found?.file, sent);
      }
      case "allExtensionNumbersOfType": {
        if (!bySymbol.has(question.value)) return notFound;
        const of = extensions.filter(({ desc }) => desc.extendee.typeName === question.value);
        const extensionNumber = of.map(({ desc }) => desc.number);
        return { case: "allExtensionNumbersResponse", value: { baseTypeName: question.value, extensionNumber } };
      }
      case undefined:
        return { case: "errorResponse", value: { errorCode: 3, errorMessage: "Nothing was asked." } };
    }
  };
}

const notFound: ReflectionAnswer = {
  case: "errorResponse",
  value: { errorCode: 5, errorMessage: "There is nothing of this name." },
};

/** Returns the files and all their imports, imports first, each once. */
function filesOf(roots: readonly DescFile[]): readonly DescFile[] {
  const found = new Set<DescFile>();
  const add = (file: DescFile) => {
    if (found.has(file)) return;
    for (const dependency of file.dependencies) add(dependency);
    found.add(file);
  };
  for (const root of roots) add(root);
  return [...found];
}

function symbolsOf(file: DescFile): string[] {
  return [...nestedTypes(file)].flatMap((desc) => {
    switch (desc.kind) {
      case "service":
        return [desc.typeName, ...desc.methods.map(nameOfMethod)];
      case "message":
        return [desc.typeName, ...desc.fields.map((field) => `${desc.typeName}.${field.name}`)];
      default:
        return [desc.typeName];
    }
  });
}

function extensionsOf(file: DescFile) {
  return [...nestedTypes(file)].filter((desc) => desc.kind === "extension");
}

function nameOfMethod(method: DescMethod): string {
  return `${method.parent.typeName}.${method.name}`;
}

function withoutHidden(proto: FileDescriptorProto, hidden: ReadonlySet<string>): FileDescriptorProto {
  if (proto.service.length === 0) return proto;
  const file = clone(FileDescriptorProtoSchema, proto);
  for (const service of file.service) {
    service.method = service.method.filter((method) => !hidden.has(`${proto.package}.${service.name}.${method.name}`));
  }
  file.service = file.service.filter((service) => service.method.length > 0);
  return file;
}
