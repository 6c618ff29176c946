export { executionsOf } from "./database/executions.ts";
export { excessOf, largeTable, listedUsers, pagesBefore, rowId, rowIdIn, userIn } from "./database/large-table.ts";
export { explained, type Plan } from "./database/plans.ts";
export { type TestDatabase, testDatabase } from "./database/test-database.ts";
export { quietLogger } from "./quiet-logger.ts";
export { repeatWhileInUse } from "./repeat-in-use.ts";
export { freePort } from "./servers/free-port.ts";
export { type MovingName, movingName } from "./servers/moving-name.ts";
export { redisForTests, type TestRedis } from "./servers/redis.ts";
