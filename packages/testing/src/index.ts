export { executionsOf } from "./executions.ts";
export { freePort } from "./free-port.ts";
export { type MovingName, movingName } from "./moving-name.ts";
export { explained, type Plan } from "./plans.ts";
export { quietLogger } from "./quiet-logger.ts";
export { redisForTests, type TestRedis } from "./redis.ts";
export { repeatWhileInUse } from "./repeat-in-use.ts";
export { type TestDatabase, testDatabase } from "./test-database.ts";
