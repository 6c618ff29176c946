import { randomUUID } from "node:crypto";
import { type DescField, type DescMessage, type DescMethod, type DescService, getOption } from "@bufbuild/protobuf";
import * as contracts from "@rialto/contracts";
import { type AttackAccount, attackPassword } from "./attack-plan.ts";

/** One expensive request. */
export interface ExpensiveRequest {
  readonly procedure: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

const longText = "a long text of many words to look for ".repeat(5);
const itemsMax = 100;

/** Requests that are more expensive than a generic one with every field at its limit, by method name. */
const known: Readonly<Record<string, (account: AttackAccount) => unknown>> = {
  ListProducts: () => ({ pageSize: 200, query: "coffee mug tea cup pot plate bowl glass" }),
  BatchGetProducts: () => ({ ids: Array.from({ length: itemsMax }, () => randomUUID()) }),
  CreateOrder: () => ({
    items: Array.from({ length: 50 }, () => ({ productId: randomUUID(), quantity: 1 })),
    paymentMethod: "pm_test_slow",
  }),
  ListOrders: () => ({ pageSize: 200 }),
  Login: () => ({ email: `${randomUUID()}@example.com`, password: attackPassword }),
  CreateUser: () => ({ email: `${randomUUID()}@example.com`, name: "Mallory", password: attackPassword }),
  ChangePassword: () => ({ currentPassword: "not the password", newPassword: attackPassword }),
  GetUser: ({ userId }) => ({ id: userId }),
};

/** Methods that would end the sessions of the attack. */
const spared: ReadonlySet<string> = new Set(["Logout", "LogoutAll"]);

const methods: readonly DescMethod[] = Object.values<unknown>(contracts)
  .filter(isService)
  .flatMap((service) => service.methods)
  .filter((method) => getOption(method, contracts.access).roles.length > 0 && !spared.has(method.name));

/** The most expensive request of one method. Includes admin methods, which are refused. */
export function expensiveRequest(account: AttackAccount, index: number): ExpensiveRequest {
  const method = methods[index % methods.length];
  if (method === undefined) throw new Error("the contract has no method");
  const json = Buffer.from(JSON.stringify(known[method.name]?.(account) ?? filled(method.input, 3)));
  const procedure = `/${method.parent.typeName}/${method.name}`;
  return method.methodKind === "unary"
    ? { procedure, contentType: "application/json", body: json }
    : { procedure, contentType: "application/connect+json", body: envelope(json) };
}

/** A JSON message with every field set. */
function filled(message: DescMessage, depth: number): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  if (message.typeName.startsWith("google.")) return json;
  for (const field of message.fields) {
    const value = fieldValue(field, depth);
    if (value !== undefined) json[field.jsonName] = value;
  }
  return json;
}

function fieldValue(field: DescField, depth: number): unknown {
  switch (field.fieldKind) {
    case "scalar":
      return scalarOf(field);
    case "message":
      return depth === 0 || field.message.typeName.startsWith("google.") ? undefined : filled(field.message, depth - 1);
    case "list": {
      const item = field.listKind === "message" ? filled(field.message, Math.max(0, depth - 1)) : scalarOf(field);
      return Array.from({ length: itemsMax }, () => item);
    }
    default:
      return undefined;
  }
}

function scalarOf({ name, scalar }: DescField): unknown {
  // The numbers of protobuf's scalar types: 9 is string, 8 bool, 12 bytes.
  if (scalar === 9) return /(^|_)ids?$/.test(name) ? randomUUID() : /email/.test(name) ? "a@example.com" : longText;
  if (scalar === 8) return true;
  return scalar === 12 ? "AAAA" : name === "page_size" ? 200 : 1;
}

/** One message of a Connect stream. */
function envelope(json: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(json.length, 1);
  return Buffer.concat([head, json]);
}

function isService(value: unknown): value is DescService {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
}
