import { runProcess } from "@rialto/service";
import { notification } from "./service.ts";

await runProcess(notification);
