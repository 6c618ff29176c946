import type { DescMethod } from "@bufbuild/protobuf";
import { type AccessPolicy, accessOf } from "../identity/access.ts";
import { takesIdempotencyKey } from "./idempotency.ts";

/** What the contract says of a method, looked up once. */
export interface MethodPlan {
  /** "rialto.order.v1.OrderService/ShipOrder". */
  readonly name: string;
  /** Undefined where the contract has none, and no caller is allowed. */
  readonly policy: AccessPolicy | undefined;
  readonly takesKey: boolean;
}

/** Returns a function that looks up the plan of a method. Extensions of the contract are decoded at each look-up. */
export function createMethodPlans(): (method: DescMethod) => MethodPlan {
  const plans = new Map<DescMethod, MethodPlan>();
  return (method) => {
    const known = plans.get(method);
    if (known !== undefined) return known;
    const plan = {
      name: `${method.parent.typeName}/${method.name}`,
      policy: accessOf(method),
      takesKey: takesIdempotencyKey(method),
    };
    plans.set(method, plan);
    return plan;
  };
}
