import { runProcess } from "@rialto/service";
import { order } from "./service.ts";

await runProcess(order);
