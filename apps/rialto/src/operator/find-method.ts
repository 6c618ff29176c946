import {
  create,
  createFileRegistry,
  createRegistry,
  type DescMethod,
  type DescService,
  fromBinary,
  type Registry,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import * as contract from "@rialto/contracts";
import { reflection } from "@rialto/contracts/grpc";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

/** A method, and the types that its messages may contain. */
export interface FoundMethod {
  readonly method: DescMethod;
  readonly registry: Registry;
  /** Where its description is from: the gateway's reflection, or the contract that this command was built with. */
  readonly source: "reflection" | "contract";
}

/**
 * Finds a method by its name, `rialto.order.v1.OrderService/GetOrder`. The gateway describes it by gRPC reflection;
 * where that is off, the contract of this version does. Rejects with a failure that names what there is, or with the
 * error of the connection.
 */
export async function findMethod(transport: Transport, name: string, timeoutMs: number): Promise<FoundMethod> {
  const { service: typeName, method: methodName } = splitName(name);
  const described = await describe(transport, typeName, timeoutMs);
  const { registry, source } = described ?? { registry: contractRegistry(), source: "contract" };
  const service = registry.getService(typeName);
  if (service === undefined) throw unknownService(typeName, await servicesOf(transport, described, timeoutMs));
  const method = service.methods.find((candidate) => candidate.name === methodName);
  if (method === undefined)
    throw new CommandFailure(
      exitCodes.usage,
      `${typeName} has no method ${methodName}. It has: ${service.methods.map((one) => one.name).join(", ")}`,
    );
  return { method, registry, source };
}

function splitName(name: string): { readonly service: string; readonly method: string } {
  const { service, method } = /^\/?(?<service>[\w.]+)[/.](?<method>\w+)$/.exec(name)?.groups ?? {};
  if (service === undefined || method === undefined)
    throw new CommandFailure(exitCodes.usage, "write the method as rialto.order.v1.OrderService/GetOrder");
  return { service, method };
}

interface Described {
  readonly registry: Registry;
  readonly source: "reflection";
}

/** Returns undefined where the gateway serves no reflection. A service that it does not have is not in the registry. */
async function describe(transport: Transport, typeName: string, timeoutMs: number): Promise<Described | undefined> {
  const answer = await reflect(transport, { case: "fileContainingSymbol", value: typeName }, timeoutMs);
  if (answer === undefined) return undefined;
  const files = answer.case === "fileDescriptorResponse" ? answer.value.fileDescriptorProto : [];
  const file = files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  return { registry: createFileRegistry(create(FileDescriptorSetSchema, { file })), source: "reflection" };
}

type Question = reflection.ServerReflectionRequest["messageRequest"];

async function reflect(
  transport: Transport,
  question: Question,
  timeoutMs: number,
): Promise<reflection.ServerReflectionResponse["messageResponse"] | undefined> {
  const { serverReflectionInfo } = createClient(reflection.ServerReflection, transport);
  async function* questions() {
    yield create(reflection.ServerReflectionRequestSchema, { messageRequest: question });
  }
  try {
    let answer: reflection.ServerReflectionResponse["messageResponse"] | undefined;
    // To its end, as a stream that is left early goes on until its timeout.
    for await (const { messageResponse } of serverReflectionInfo(questions(), { timeoutMs }))
      answer ??= messageResponse;
    return answer;
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.Unimplemented) return undefined;
    throw error;
  }
}

/** Returns the names of all services that can be called. */
async function servicesOf(
  transport: Transport,
  described: Described | undefined,
  timeoutMs: number,
): Promise<readonly string[]> {
  if (described === undefined) return contractServices().map(({ typeName }) => typeName);
  const answer = await reflect(transport, { case: "listServices", value: "" }, timeoutMs);
  return answer?.case === "listServicesResponse" ? answer.value.service.map(({ name }) => name) : [];
}

function unknownService(typeName: string, services: readonly string[]): CommandFailure {
  return new CommandFailure(exitCodes.usage, `there is no service ${typeName}. There are: ${services.join(", ")}`);
}

function contractServices(): readonly DescService[] {
  return Object.values<unknown>(contract).filter(isService);
}

function isService(value: unknown): value is DescService {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
}

/** The services of the contract, with all types of their files. */
function contractRegistry(): Registry {
  return createRegistry(...new Set(contractServices().map(({ file }) => file)));
}
