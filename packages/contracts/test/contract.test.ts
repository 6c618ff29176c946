import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescService,
  getExtension,
  getOption,
  hasOption,
  ScalarType,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { describe, expect, it } from "vitest";
import * as contract from "../src/index.ts";

const generated = join(import.meta.dirname, "../gen");

const services = Object.values(contract).filter(
  (value): value is DescService & typeof value =>
    typeof value === "object" && "kind" in value && value.kind === "service",
);
const methods: readonly DescMethod[] = services.flatMap((service) => service.methods);
const nameOf = (method: DescMethod) => `${method.parent.typeName}/${method.name}`;

const serviceNames = ["gateway", "user", "product", "order", "payment", "notification"];

describe("the contract", () => {
  it("has the services that the design names", () => {
    expect(services.map((service) => service.name).sort()).toEqual([
      "AuditService",
      "AuthService",
      "DeadLetterService",
      "InventoryService",
      "NotificationService",
      "OrderService",
      "PaymentService",
      "ProductService",
      "RegistrationService",
      "SubscriptionService",
      "TraceService",
      "UserService",
    ]);
  });

  it.each(methods.map((method) => [nameOf(method), method] as const))(
    "has the ids of %s where they can be written in lower case: in no oneof, no map, no message that holds itself",
    (_name, method) => {
      expect(idsOutOfReach(method.input)).toEqual([]);
    },
  );

  it.each(methods.map((method) => [nameOf(method), method] as const))("says who may call %s", (_name, method) => {
    expect(hasOption(method, contract.access)).toBe(true);
    const { roles, services: callers, anyService, owned } = getOption(method, contract.access);
    expect(anyService || roles.length + callers.length > 0, "somebody may call it").toBe(true);
    expect(roles).not.toContain(contract.Role.ROLE_UNSPECIFIED);
    expect(serviceNames).toEqual(expect.arrayContaining(callers));
    expect(new Set(roles).size + new Set(callers).size, "nobody twice").toBe(roles.length + callers.length);
    if (anyService) expect(["gateway"], "the others are among any").toEqual(expect.arrayContaining(callers));
    if (owned) expect(roles, "only a customer owns something").toContain(contract.Role.CUSTOMER);
    if (roles.includes(contract.Role.PUBLIC)) expect(roles, "the public is everybody").toEqual([contract.Role.PUBLIC]);
  });

  it("gives no REST route to a method that no person may call", () => {
    const hidden = methods.filter(
      (method) => getOption(method, contract.access).roles.length === 0 && hasOption(method, contract.http),
    );
    expect(hidden.map(nameOf)).toEqual([]);
  });

  it("streams towards the client only", () => {
    expect(new Set(methods.map((method) => method.methodKind))).toEqual(new Set(["unary", "server_streaming"]));
  });

  it("gives every reason one name in one domain", () => {
    const names = Object.entries(contract)
      .filter(([name]) => /ErrorReason$/.test(name))
      .flatMap(([, value]) => Object.keys(value))
      .filter((name) => !/^\d+$/.test(name));
    expect(names.length).toBeGreaterThan(20);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("the rules of a method", () => {
  const reasonsOf = (domain: string) =>
    Object.entries(contract)
      .filter(([name]) => name.toLowerCase() === `${domain}errorreason`)
      .flatMap(([, reasons]) => Object.keys(reasons))
      .filter((name) => !/^\d+$|_UNSPECIFIED$/.test(name));
  const domainOf = (method: DescMethod) => method.parent.typeName.split(".")[1] ?? "";
  const rulesOf = (method: DescMethod) => getOption(method, contract.method_rules);
  const domains = [...new Set(methods.map(domainOf))];

  it.each(methods.map((method) => [nameOf(method), method] as const))(
    "name reasons of its domain's error table alone, once each: %s",
    (_name, method) => {
      const { reasons } = rulesOf(method);
      expect(reasonsOf(domainOf(method))).toEqual(expect.arrayContaining(reasons));
      expect(new Set(reasons).size).toBe(reasons.length);
    },
  );

  it.each(domains)("name every reason of the error table of %s", (domain) => {
    const own = methods.filter((method) => domainOf(method) === domain);
    const named = new Set(own.flatMap((method) => rulesOf(method).reasons));
    expect([...named].sort()).toEqual(reasonsOf(domain).sort());
  });

  it("name the reasons that the method's comment names", async () => {
    const root = join(import.meta.dirname, "../../../proto/rialto");
    const files = (await readdir(root, { recursive: true })).filter((file) => file.endsWith(".proto"));
    const texts = await Promise.all(files.map((file) => readFile(join(root, file), "utf8")));
    for (const method of methods) {
      const { reasons } = rulesOf(method);
      const comment = new RegExp(`((?: {2}//.*\\n)+) {2}rpc ${method.name}\\(`).exec(texts.join("\n"))?.[1] ?? "";
      const said = /Reasons:([\s\S]*)/.exec(comment)?.[1] ?? "";
      expect(said.match(/\b[A-Z]+(?:_[A-Z]+)+\b/g) ?? [], nameOf(method)).toEqual(reasons);
    }
  });

  it("let AuthService alone ignore an idempotency key: no token is ever stored", () => {
    const ignoring = methods.filter((method) => rulesOf(method).ignoresIdempotencyKey);
    expect([...new Set(ignoring.map((method) => method.parent.name))]).toEqual(["AuthService"]);
    const changing = contract.AuthService.methods.filter(
      ({ idempotency }) => idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
    );
    expect(ignoring.map(nameOf)).toEqual(changing.map(nameOf));
  });
});

/** Texts of requests that nobody else is shown: what is looked for, compared or opaque. */
const unseen = [
  "page_token",
  "ListProductsRequest.query",
  "ListProductsRequest.category",
  "LoginRequest.email",
  "RequestPasswordResetRequest.email",
  "RequestEmailConfirmationRequest.email",
  // What a placed order says: it was looked at when the order was placed.
  "AuthorizePaymentRequest.payment_method",
];

describe("a text of a request", () => {
  const texts = [...new Set(methods.flatMap((method) => [...stringFields(method.input, new Set())]))];

  it.each(texts.map((field) => [`${field.parent.name}.${field.name}`, field] as const))(
    "that others see is bounded and free of control characters: %s",
    (name, field) => {
      if (unseen.includes(name) || unseen.includes(field.name)) return;
      if (field.proto.options?.debugRedact === true) return;
      const rules = getOption(field, fieldRules).type;
      const own = rules.case === "repeated" ? rules.value.items?.type : rules;
      if (own?.case !== "string") throw new Error(`${name} has no rule`);
      const { wellKnown, pattern, maxLen } = own.value;
      if (pattern !== "" || wellKnown.case === "uuid") return;
      expect(maxLen).toBeGreaterThan(0n);
      const isPlain = [contract.one_line, contract.plain_text].some((rule) => getExtension(own.value, rule));
      expect(wellKnown.case === "email" || isPlain).toBe(true);
    },
  );
});

function* stringFields(message: DescMessage, seen: Set<string>): Generator<DescField> {
  if (seen.has(message.typeName) || message.typeName.startsWith("google.")) return;
  seen.add(message.typeName);
  for (const field of message.fields) {
    if (field.scalar === ScalarType.STRING) yield field;
    if (field.message !== undefined) yield* stringFields(field.message, seen);
  }
}

describe("the package's entry points", () => {
  it("re-exports every generated file", async () => {
    const doors = await Promise.all(
      ["index.ts", "grpc.ts"].map((file) => readFile(join(import.meta.dirname, "../src", file), "utf8")),
    );
    const exported = [...doors.join("").matchAll(/export \*(?: as \w+)? from "\.\.\/gen\/(.*)";/g)].map(
      (match) => match[1],
    );
    const files = await readdir(generated, { recursive: true });
    expect(exported.sort()).toEqual(files.filter((file) => file.endsWith("_pb.js")).sort());
  });

  it("loses no name to another file's", async () => {
    const files = await readdir(generated, { recursive: true });
    const names: string[] = [];
    // gRPC's own services are in the other entry point.
    for (const file of files.filter((name) => name.endsWith("_pb.js") && !name.startsWith("grpc/"))) {
      names.push(...Object.keys(await import(join(generated, file))));
    }
    expect(Object.keys(contract).sort()).toEqual(names.sort());
  });
});

/** The fields of a request, by their paths, whose ids the server does not reach when it writes them in lower case. */
function idsOutOfReach(message: DescMessage, within: readonly DescMessage[] = []): readonly string[] {
  if (within.includes(message)) return [`${message.typeName} holds itself`];
  return message.fields.flatMap((field) => {
    const nested = field.message === undefined ? [] : idsOutOfReach(field.message, [...within, message]);
    const isHidden = (field.fieldKind === "map" || field.oneof !== undefined) && (isId(field) || hasIds(field.message));
    return isHidden ? [`${field}`, ...nested] : nested;
  });
}

function hasIds(message: DescMessage | undefined): boolean {
  return message?.fields.some((field) => isId(field) || hasIds(field.message)) ?? false;
}

function isId(field: DescField): boolean {
  if (!hasOption(field, fieldRules)) return false;
  const { type } = getOption(field, fieldRules);
  const rules =
    type.case === "repeated"
      ? [type.value.items?.type]
      : type.case === "map"
        ? [type.value.keys?.type, type.value.values?.type]
        : [type];
  return rules.some((rule) => rule?.case === "string" && rule.value.wellKnown.case === "uuid");
}
