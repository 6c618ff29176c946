import { createRegistry, type DescMessage, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { file_rialto_type_v1_rules } from "@rialto/contracts";
import { callErrors } from "./call-errors.ts";
import { refuse } from "./errors.ts";
import { unstorableTexts } from "./storable-text.ts";

// One for the process: it compiles a message's rules once and keeps them.
const validator = createValidator({ registry: createRegistry(file_rialto_type_v1_rules) });

/** Checks a request against the rules of the contract and refuses it with every field and rule that it breaks, and text that cannot be kept. */
export function assertValid(schema: DescMessage, message: Message): void {
  const result = validator.validate(schema, message);
  if (result.kind === "error") throw result.error;
  if (result.kind === "valid") {
    const fields = unstorableTexts(schema, message);
    if (fields.length > 0) throw refuse(callErrors.INVALID_REQUEST, { fields });
    return;
  }
  throw refuse(callErrors.INVALID_REQUEST, {
    fields: result.violations.map((violation) => ({
      field: pathToString(violation.field),
      description: violation.message,
      rule: violation.ruleId,
    })),
  });
}
