import type { CancelSignal } from "@rialto/async";
import { createLoader } from "../batching/loader.ts";
import type { Database } from "../connection/connection.ts";
import { ReadOnlyServer } from "../connection/errors.ts";
import { answerOf, type IdempotencyKey } from "../idempotency.ts";
import type { JsonValue } from "../json.ts";
import { encodeKey } from "./decision.ts";
import { storedAnswersStatement } from "./statement.ts";

/** The answers that commits have stored with their keys. */
export interface StoredAnswers {
  /**
   * Returns what a commit with this key would answer without writing anything: the answer of the first request.
   * Undefined where the key is new. Throws `KeyReused` where it was used with another request, `KeyInUse` where its
   * answer is not known yet, and `ReadOnlyServer` where the server takes no writes: what it holds may be behind, so it
   * cannot say that a key is new. Keys that are looked up at the same moment travel in one statement.
   */
  find(key: IdempotencyKey, o?: { readonly signal?: CancelSignal | undefined }): Promise<JsonValue | undefined>;
}

interface Row {
  readonly same: boolean | null;
  readonly answered: boolean | null;
  readonly response: JsonValue;
  readonly read_only: boolean;
}

/** Opens the answers of a schema. */
export function createStoredAnswers({
  schema,
  sql,
  renew,
  freezesShared: freezes,
}: Pick<Database, "schema" | "sql" | "renew" | "freezesShared">): StoredAnswers {
  const statement = storedAnswersStatement(schema);
  const rows = createLoader<IdempotencyKey, Row>({
    freezes,
    async read(keys) {
      const parameter = JSON.stringify(keys.map(encodeKey));
      const found = await sql.unsafe<Row[]>(statement, [parameter], { prepare: true });
      if (found.some((row) => row.read_only)) {
        renew();
        throw new ReadOnlyServer();
      }
      return found;
    },
  });
  return {
    async find(key, o) {
      const { same, answered, response } = await rows.load(key, o);
      return same === null ? undefined : answerOf({ same, answered: answered === true, response });
    },
  };
}
